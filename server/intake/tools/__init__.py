"""Tools that a model may call: what a request says about them, what the prompt shows, what the answer has to fit."""
