"""The embedded model: latent diffusion conditioned on the descriptors of audio."""
