"""Waits: the only package that owns tasks and timers. Joins sources, core, store and readers."""
