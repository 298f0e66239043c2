"""Embeddings of clips: calibrated descriptors, CLAP, and CLAP mapped to CLIP's image space."""
