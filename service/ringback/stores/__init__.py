"""Remembers: adapters for the `Store` of `ringback.ports`, one technology each."""
