"""How much of which kind of document a stage sees."""

import random
from collections.abc import Sequence

from steiner.training.encode import Document


def mix(
    traces: Sequence[Document], drills: Sequence[Document], drill_share: float, seed: int
) -> list[Document]:
    """All traces, and drills until they make up `drill_share` of the tokens.

    Drills are taken in a random order and repeated where there are too few.

    Raises:
        ValueError: drills are wanted and there are none.
    """
    if drill_share and not drills:
        raise ValueError(
            "drill_share is above 0, but no family of the recipe has drills: set `drills` under `data`."
        )
    wanted = (
        sum(len(d.token_ids) for d in traces) * drill_share / (1.0 - drill_share)
        if drill_share < 1.0
        else 0.0
    )
    if drill_share >= 1.0:
        return list(drills)
    rng = random.Random(f"{seed}/drills")
    taken: list[Document] = []
    while wanted > 0:
        drill = drills[rng.randrange(len(drills))]
        taken.append(drill)
        wanted -= len(drill.token_ids)
    return [*traces, *taken]
