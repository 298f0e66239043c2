"""Statistics as pure functions of arrays: distances, rankings, tests, curves, and looks of images."""
