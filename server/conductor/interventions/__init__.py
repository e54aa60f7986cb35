"""Reasons to cut a generation and force tokens; one a file."""
