"""Images as requests bring them, and their decoding."""
