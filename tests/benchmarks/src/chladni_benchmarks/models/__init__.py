"""Untrained models: as fast as trained ones of their size, and made in place."""
