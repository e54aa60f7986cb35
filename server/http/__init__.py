"""HTTP itself, whatever the route: listening, keys, limits of a body, log lines, tracing, event streams."""
