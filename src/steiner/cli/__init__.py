"""The command `steiner`."""
