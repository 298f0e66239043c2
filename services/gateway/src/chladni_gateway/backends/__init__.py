"""The services behind the gateway, reached over gRPC."""
