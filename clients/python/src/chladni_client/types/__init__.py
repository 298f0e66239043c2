"""The types of the public API."""
