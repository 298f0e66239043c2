"""Programs for operators; nothing that serves uses them."""
