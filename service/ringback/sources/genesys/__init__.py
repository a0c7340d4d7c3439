"""Follows a Genesys Cloud organisation: its notification channels, and REST beside them."""
