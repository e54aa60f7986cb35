"""Token ids in Lark, as llguidance writes them.

https://github.com/guidance-ai/llguidance/blob/main/docs/syntax.md#special-tokens
"""

from collections.abc import Iterable

HEADER = '%llguidance {"no_forcing": true}\n'
"""First line of a grammar over ids.

Without this, where only one id can come, llguidance stores it with other bytes than the token's own. It then loses its
place when speculative decoding takes the token back (1.7.6; https://github.com/guidance-ai/llguidance/pull/364).
"""
START = "start"
"""The rule that a whole sequence must match."""


def in_a_row(token_ids: Iterable[int]) -> str:
    """These ids, one after the other."""
    return " ".join(f"<[{token_id}]>" for token_id in token_ids)


def any_but(token_ids: Iterable[int], vocab_size: int) -> str:
    """One id below `vocab_size` that is none of these.

    Written as inclusive ranges of what may come: `<[^…]>` would also allow the padding rows after the vocabulary.
    """
    ranges, first = [], 0
    for excluded in (*sorted(i for i in token_ids if i < vocab_size), vocab_size):
        if first < excluded:
            ranges.append(f"{first}-{excluded - 1}")
        first = excluded + 1
    return f"<[{','.join(ranges)}]>"
