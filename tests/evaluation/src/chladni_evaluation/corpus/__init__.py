"""The clips: sounds with known parameters, another set for every seed, and small changes to make to them."""
