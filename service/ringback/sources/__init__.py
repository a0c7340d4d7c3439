"""Listens: each source puts what it hears into an `Intake`, and tells when it is blind."""
