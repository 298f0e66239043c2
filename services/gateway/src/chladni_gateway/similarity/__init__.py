"""Comparison, search and alignment of stored images."""
