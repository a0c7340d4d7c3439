"""The daemon on several machines: its roles, together or apart."""
