"""Tries rules on recordings: what would have alerted."""
