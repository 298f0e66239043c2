"""How near the audio autoencoder comes to clips: synthesised ones and recordings."""
