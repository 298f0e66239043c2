"""The gRPC server that every service runs in."""
