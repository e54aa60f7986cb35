"""How good a model is: suites, comparisons, and the model card made from them."""
