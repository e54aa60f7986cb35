"""One thread, and a recipe with a nano policy and a sampler for it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from tests.scripted_sampler import new_policy, new_sampler, recipe, words

__all__ = ["new_policy", "new_sampler", "recipe", "words"]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """More threads add floats in another order."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
