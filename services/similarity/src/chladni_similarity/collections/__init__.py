"""Collections of images: their vectors, identifiers and metadata, kept in Qdrant."""
