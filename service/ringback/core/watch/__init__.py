"""Decides whether a callback is stuck, since when, and what becomes of the alert."""
