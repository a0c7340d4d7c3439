"""Who may come in: tokens from a file, sessions of browsers, and the gate that asks for either."""
