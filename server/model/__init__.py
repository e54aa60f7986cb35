"""The model behind the routes: loading it, its phases, its metrics, and beginning generations on it."""
