"""The served model: loading it, its phases, its metrics, and starting generations on it."""
