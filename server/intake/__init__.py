"""From what a request says to what the conductor needs."""
