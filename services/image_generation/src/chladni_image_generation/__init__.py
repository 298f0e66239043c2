"""The image generation service: descriptors of a sound in, an image out."""
