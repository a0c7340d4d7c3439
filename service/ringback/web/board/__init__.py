"""What is on the board: every open callback as the journal tells it, and how to look through it."""
