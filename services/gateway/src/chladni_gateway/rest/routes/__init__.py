"""The routes of the REST API, one resource a module."""
