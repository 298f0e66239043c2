"""Jobs that make what the service ships: sample sounds and the calibration of the embedding.

They import the serving code, never the reverse.
"""
