"""Forms with recordings: parsed while they arrive, within limits."""
