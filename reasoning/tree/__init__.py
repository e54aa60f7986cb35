"""The trace as a tree: built from events, turned into events, written as text."""
