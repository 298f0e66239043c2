"""Untrained, tiny models for tests."""
