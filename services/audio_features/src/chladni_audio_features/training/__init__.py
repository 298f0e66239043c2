"""Jobs that make what the service ships, sample sounds and the calibration, and embeddings to train on.

They import the serving code, never the reverse.
"""
