"""Calibrations of initial latents, computed from any number of clips: the parts of `tools.calibrate`."""
