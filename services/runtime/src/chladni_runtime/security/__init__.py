"""Certificates and other files that are read again when they change."""
