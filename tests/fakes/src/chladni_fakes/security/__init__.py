"""Authorities, certificates and keys for tests."""
