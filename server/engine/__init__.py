"""Engines turn token ids into token ids: vLLM's, and one that plays a script."""
