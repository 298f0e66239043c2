"""The analysis of a clip: spectrograms, pitch, rhythm, loudness and the other descriptors."""
