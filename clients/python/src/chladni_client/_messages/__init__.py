"""From arguments to messages, and from messages to results."""
