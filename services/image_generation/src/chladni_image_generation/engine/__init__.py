"""The engine: step-level batching of the requests in flight."""
