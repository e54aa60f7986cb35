"""A long search as training sequences that are as short as the context in which it is served with `memory`."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from steiner.reasoning.folding import FoldingContext
from steiner.reasoning.protocol import BoundProtocol


@dataclass(frozen=True, slots=True)
class Stretch:
    """What the model sees between one fold and the next.

    Attributes:
        token_ids: the start of reasoning, the live path with folded steps where branches were abandoned, and the
            stretch itself, up to the depth of the backtrack that ends it, or to the end.
        written: for each token, whether the model wrote it exactly so; False in folded steps.
        begin: index of the stretch's first token in the whole trace.
        end: index after its last.
    """

    token_ids: list[int]
    written: list[bool]
    begin: int
    end: int


def stretches(bound: BoundProtocol, token_ids: Sequence[int]) -> list[Stretch]:
    """Cut a trace after each of its backtracks; the ids begin with the start of reasoning.

    The token of the end of reasoning and what follows it are part of the last stretch.
    """
    context = FoldingContext(bound)
    written: list[bool] = []
    cut: list[Stretch] = []
    begin = 0
    for index, token_id in enumerate(token_ids):
        if token_id == bound.step_start_id and context.abandoned_to is not None:
            cut.append(Stretch(list(context.token_ids), list(written), begin, index))
            begin = index
            kept = context.fold()
            del written[kept:]
            written += [False] * (len(context.token_ids) - kept)
        context.take((token_id,))
        written.append(True)
    return [*cut, Stretch(context.token_ids, written, begin, len(token_ids))]


def choose_stretches(all_of_them: Sequence[Stretch], count: int, rng: random.Random) -> list[Stretch]:
    """At most `count` of them, in order; always including the last, because only that one has the answer."""
    *earlier, last = all_of_them
    chosen = sorted(rng.sample(range(len(earlier)), min(count - 1, len(earlier))))
    return [*(earlier[index] for index in chosen), last]
