"""For vLLM's own server: our reasoning parser as its `--reasoning-parser steiner`."""
