"""Audio as data: clips, their decoding and their containers."""
