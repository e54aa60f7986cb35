"""The states of a problem as a graph, searched."""
