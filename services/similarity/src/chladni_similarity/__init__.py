"""How alike images are: embeds them, and compares the embeddings."""
