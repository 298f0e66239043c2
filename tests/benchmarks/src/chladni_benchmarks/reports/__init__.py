"""What is shown of the figures: a table, their targets and charts."""
