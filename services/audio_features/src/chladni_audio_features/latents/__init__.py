"""Initial latents of diffusion models, made from clips."""
