"""The image generation service: descriptors of a sound in, a picture out."""
