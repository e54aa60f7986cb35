"""How much of which kind of document a stage sees."""

import random
from collections.abc import Sequence


def mix(
    trace_lengths: Sequence[int], drill_lengths: Sequence[int], drill_share: float, seed: int
) -> list[int]:
    """All traces, and drills until they make up `drill_share` of the tokens.

    Drills are taken in a random order, and repeated if there are too few.

    Returns:
        Numbers of the documents, the first trace being 0 and the first drill following the last trace.

    Raises:
        ValueError: drills are wanted and there are none.
    """
    if drill_share and not drill_lengths:
        raise ValueError(
            "drill_share is above 0, but no family of the recipe has drills: set `drills` under `data`."
        )
    first_drill = len(trace_lengths)
    if drill_share >= 1.0:
        return list(range(first_drill, first_drill + len(drill_lengths)))
    wanted = sum(trace_lengths) * drill_share / (1.0 - drill_share)
    rng = random.Random(f"{seed}/drills")
    taken: list[int] = []
    while wanted > 0:
        drill = rng.randrange(len(drill_lengths))
        taken.append(first_drill + drill)
        wanted -= drill_lengths[drill]
    return [*range(first_drill), *taken]


def in_shares(
    parts: Sequence[Sequence[int]],
    shares: Sequence[float],
    lengths: Sequence[int],
    num_tokens: int,
    seed: int,
) -> list[int]:
    """Documents of several sources, each until it has its share of the tokens.

    A source that is shorter is repeated, in a new order each time.

    Args:
        parts: numbers of the documents of each source.
        lengths: tokens of every document.

    Raises:
        ValueError: a source that has a share has no documents.
    """
    taken: list[int] = []
    for part, share in zip(parts, shares, strict=True):
        rng = random.Random(f"{seed}/share/{len(taken)}")
        wanted = share * num_tokens
        if wanted and not part:
            raise ValueError("A source that was given a share of the tokens has no documents.")
        order: list[int] = []
        while wanted > 0:
            order = order or rng.sample(part, len(part))
            taken.append(order.pop())
            wanted -= lengths[taken[-1]]
    return taken
