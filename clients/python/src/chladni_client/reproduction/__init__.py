"""Whether an image can be made again, bit for bit."""
