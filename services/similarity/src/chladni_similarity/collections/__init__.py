"""Collections of pictures: their vectors, identifiers and metadata, kept in Qdrant."""
