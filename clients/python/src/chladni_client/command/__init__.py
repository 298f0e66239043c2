"""The command `chladni`."""
