"""The resilient gRPC client with which services call each other."""
