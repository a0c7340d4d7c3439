"""Pretends: a seeded contact centre that knows the truth, and a websocket that speaks for it."""
