"""Faults and rude clients against a running Chladni, and what clients then saw, checked afterwards."""
