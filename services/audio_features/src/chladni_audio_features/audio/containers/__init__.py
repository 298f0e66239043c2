"""What kind of audio file some bytes are, and what its header says, read before a decoder sees them."""
