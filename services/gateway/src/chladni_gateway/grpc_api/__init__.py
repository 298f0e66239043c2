"""The gRPC API: `chladni.gateway.v1`."""
