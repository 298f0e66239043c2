"""The gRPC API: `chladni.audio.v1`."""
