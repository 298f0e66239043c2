"""Prompts for music: whether their images follow them, and whether their scores mean something."""
