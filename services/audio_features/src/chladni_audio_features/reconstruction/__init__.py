"""Audio through an autoencoder: mel spectrograms to a few numbers and back, and back to samples."""
