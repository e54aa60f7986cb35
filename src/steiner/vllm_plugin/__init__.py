"""For vLLM's own server: our reasoning parser behind its `--reasoning-parser steiner`."""
