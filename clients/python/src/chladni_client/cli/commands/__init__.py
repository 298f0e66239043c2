"""The subcommands of `chladni`."""
