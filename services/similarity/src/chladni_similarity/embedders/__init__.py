"""Models that turn images into vectors, behind one interface."""
