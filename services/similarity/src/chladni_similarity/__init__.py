"""How alike pictures are: embeds them, and compares the embeddings."""
