"""NATS JetStream: the input log, the log of steps, and leases."""
