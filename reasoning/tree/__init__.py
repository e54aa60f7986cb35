"""The trace as a tree: built from events, told as events, written as text."""
