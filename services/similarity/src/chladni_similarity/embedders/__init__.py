"""Models that turn pictures into vectors, behind one interface."""
