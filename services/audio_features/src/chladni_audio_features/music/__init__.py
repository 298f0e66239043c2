"""Analyses of music."""
