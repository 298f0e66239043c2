"""Programs for operators and developers."""
