"""Looks: ways to show a sound, each a renderer with its own correspondences."""
