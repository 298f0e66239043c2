"""Recipes: named ways from audio to an image."""
