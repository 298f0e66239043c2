"""Programs for operators and developers: check a model, measure its precision."""
