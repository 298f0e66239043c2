"""How well the analyses of music hear what synthesised pieces were made of."""
