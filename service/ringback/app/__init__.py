"""Composes: puts the parts together, for each command one module. Only here adapters have names."""
