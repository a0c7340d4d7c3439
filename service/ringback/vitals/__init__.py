"""Reports: what the parts count, as health checks and metrics."""
