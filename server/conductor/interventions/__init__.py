"""Reasons to cut a generation and force tokens, one in each file."""
