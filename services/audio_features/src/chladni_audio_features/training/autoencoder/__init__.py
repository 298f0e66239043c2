"""Training of the audio autoencoder."""
