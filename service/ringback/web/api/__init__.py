"""The HTTP API under `/api/v1`: what it answers, and the document that describes it."""
