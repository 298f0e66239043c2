"""The three services that are evaluated, called over gRPC as any caller would call them."""
