"""The routes: one folder a dialect, and what all of them share."""
