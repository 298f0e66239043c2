"""What the gateway is about: types and interfaces without I/O."""
