"""Names of models in settings, and the directories that hold their files."""
