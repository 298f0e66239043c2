"""What a film is made of."""
