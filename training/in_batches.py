"""A stream in lists."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")


def in_batches(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Lists of `size` items, the last perhaps shorter; as `itertools.batched`, which Python 3.11 has not."""
    waiting = iter(items)
    while batch := list(islice(waiting, size)):
        yield batch
