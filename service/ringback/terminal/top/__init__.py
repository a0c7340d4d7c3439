"""`ringback top`: the open callbacks of a daemon as they move, in a terminal."""
