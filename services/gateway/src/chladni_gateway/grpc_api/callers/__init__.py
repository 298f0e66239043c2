"""Who gRPC calls come from: tokens, and sessions."""
