"""Statistics as pure functions of arrays: distances, rankings, tests, curves, and the richness of images."""
