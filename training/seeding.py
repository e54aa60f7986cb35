"""Random numbers of one record and of nothing else, so that work may be interrupted and split at will."""

import random

from steiner.training.config import Recipe


def record_stream(recipe: Recipe, *name: object) -> random.Random:
    """The stream of a record, by the recipe's seed and what names the record."""
    return random.Random("/".join(map(str, (recipe.seed, *name))))
