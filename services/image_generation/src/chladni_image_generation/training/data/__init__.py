"""Training data of the embedded model: descriptors, art and latents."""
