"""`/api/v1/films`."""
