"""Dynamic batching: the policy, and the task that drives it."""
