"""Prompts for text-conditioned models, written for music and judged; without torch."""
