"""Who may use the gateway: bearer tokens, and what they allow."""
