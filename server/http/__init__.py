"""HTTP itself, for every route: listening, keys, limits of a body, log lines, tracing, event streams."""
