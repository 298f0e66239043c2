"""Whole songs: how they go on, their beats and their sections."""
