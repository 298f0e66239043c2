"""Connections, retries and statuses."""
