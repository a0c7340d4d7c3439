"""The life of one callback: its record, and what the journal still tells of it."""
