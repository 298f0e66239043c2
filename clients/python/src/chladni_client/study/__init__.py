"""Studies over many clips: prompts, their scores, and images, resumable at any point."""
