"""Fuzzers of everything that reads what strangers send; see `make fuzz`."""
