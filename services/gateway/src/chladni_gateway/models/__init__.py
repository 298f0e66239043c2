"""Which models the services have, and which of them a recipe can use."""
