"""From a request to what the conductor needs."""
