"""The gRPC API: `chladni.image.v1`."""
