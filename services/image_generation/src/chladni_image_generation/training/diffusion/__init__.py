"""The job that trains an unconditional diffusion model on small images, such as handwritten digits."""
