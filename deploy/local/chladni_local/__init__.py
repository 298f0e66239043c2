"""Chladni on this machine alone: the four services as child processes on loopback."""
