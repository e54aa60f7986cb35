"""The stages of a recipe in order, and runs of several recipes compared."""
