"""How much GPU memory a model takes, and how many reasoning traces fit next to it: arithmetic, no GPU."""
