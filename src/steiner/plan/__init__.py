"""How much GPU memory a model takes, and how many reasoning traces fit beside it: arithmetic, no GPU."""
