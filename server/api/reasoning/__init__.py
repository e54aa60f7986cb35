"""Our own dialect: a generation as a stream of typed events."""
