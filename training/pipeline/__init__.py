"""The stages of a recipe in order, and comparisons of several runs."""
