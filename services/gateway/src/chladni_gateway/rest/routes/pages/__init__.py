"""The page, and the one on which people sign in."""
