"""Untrained, tiny models for tests and benchmarks."""
