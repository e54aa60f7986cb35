"""Steiner: reasoning models whose reasoning is a tree of typed, verified steps."""
