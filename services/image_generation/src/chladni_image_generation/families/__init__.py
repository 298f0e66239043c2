"""Families of latent diffusion models, each in a module of its own behind `LatentDiffusionModel`."""
