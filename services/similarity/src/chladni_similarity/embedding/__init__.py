"""From images to vectors: prepare, look up, batch, remember."""
