"""Marking of MATH answers for lm-evaluation-harness: its own equality, on the answer that the reply boxes.

The harness's `hendrycks_math` takes what stands between the first and the last dollar sign of a reply, which suits base
models shown examples; models that talk box their answer.
"""

from collections.abc import Mapping, Sequence
from typing import Any


def process_results(doc: Mapping[str, Any], results: Sequence[str]) -> dict[str, float]:
    """Whether the last boxed answer of the reply, or else the whole reply, equals the solution's."""
    from lm_eval.tasks.hendrycks_math.utils import (
        is_equiv,
        last_boxed_only_string,
        remove_boxed,
    )

    boxed = last_boxed_only_string(results[0])
    try:
        answer = results[0].strip() if boxed is None else remove_boxed(boxed)
    except AssertionError:
        # The harness's check of what it unwraps: a \fbox, which it finds and cannot open.
        answer = results[0].strip()
    return {"exact_match": float(is_equiv(answer, doc["answer"]))}
