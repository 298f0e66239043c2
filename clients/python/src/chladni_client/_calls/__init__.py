"""Calls that are more than one request and one answer."""
