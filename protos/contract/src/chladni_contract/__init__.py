"""What both ends of a connection agree on: errors, statuses, tensors, scores. Knows no service."""
