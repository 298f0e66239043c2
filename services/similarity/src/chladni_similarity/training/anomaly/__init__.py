"""Training and evaluation of machine listening."""
