"""From a request to what the conductor is to do."""
