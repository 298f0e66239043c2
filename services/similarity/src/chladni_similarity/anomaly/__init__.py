"""Machine listening: how far audio of a machine is from its normal operation, and what changed."""
