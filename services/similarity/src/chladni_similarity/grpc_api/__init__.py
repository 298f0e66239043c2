"""The gRPC API: `chladni.similarity.v1`."""
