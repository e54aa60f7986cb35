"""Speculative decoding that knows the protocol: drafts of tokens that the engine checks many at a time."""
