"""What the tests of reinforcement learning have: the ablation runs it."""

from tests.scripted_sampler import new_policy, new_sampler, recipe, words

__all__ = ["new_policy", "new_sampler", "recipe", "words"]
