"""Tools that a model may call: what a request says of them, what the prompt shows, what the answer is held to."""
