"""One command for all training, and what its jobs share. Nothing that serves imports it."""
