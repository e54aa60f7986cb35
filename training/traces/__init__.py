"""From a problem's DAG to the text of a search."""
