"""What people see: progress, the table of figures with their targets, contact sheets."""
