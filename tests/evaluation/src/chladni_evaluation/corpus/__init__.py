"""The clips: audio with known parameters, another set for every seed, and small perturbations of it."""
