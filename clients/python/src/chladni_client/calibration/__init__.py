"""Calibrations: mean and standard deviation of what sounds give as initial latents. Needs NumPy."""
