"""Garbage collection of a process that streams: seldom, and never over what does not change."""

from __future__ import annotations

import gc

#: Objects that are made before the youngest are looked through. Python's 700 are a few tokens of each stream, most of
#: them alive: a tenth of the time of a stream went there. Cycles wait the longer, a few MiB of them.
YOUNG_OBJECTS = 20_000


def settle_heap() -> None:
    """To be called once everything is loaded: the modules of an engine are a large heap that never changes, and
    every full collection would walk it, which costs a stream a fifth of its time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, *gc.get_threshold()[1:])
