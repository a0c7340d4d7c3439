"""Tells: each sink is handed committed journal entries, in order, at least once."""
