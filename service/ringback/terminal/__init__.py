"""Looks at a daemon from a terminal: one callback's life, or all of them, live."""
