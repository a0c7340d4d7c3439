"""Shows: health and metrics over HTTP."""
