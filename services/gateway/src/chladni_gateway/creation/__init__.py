"""The creation of images: at once, and as jobs."""
