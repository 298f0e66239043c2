"""Films over gRPC."""
