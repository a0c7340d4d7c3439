"""Decides. Synchronous: no clock, no input or output, no logging; every method is handed `now`."""
