"""Measurement of machine listening on simulated machines."""
