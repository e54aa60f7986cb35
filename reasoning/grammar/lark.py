"""Token ids in Lark, as llguidance writes them.

https://github.com/guidance-ai/llguidance/blob/main/docs/syntax.md#special-tokens
"""

from collections.abc import Iterable

HEADER = '%llguidance {"no_forcing": true}\n'
"""First line of a grammar over ids.

Where only one id can come, llguidance would note it in other bytes than the token's own, and lose its place when
speculative decoding takes that token back (1.7.6; https://github.com/guidance-ai/llguidance/pull/364).
"""
START = "start"
"""The rule that a whole sequence must match."""


def in_a_row(token_ids: Iterable[int]) -> str:
    """These ids, one behind the other."""
    return " ".join(f"<[{token_id}]>" for token_id in token_ids)


def any_but(token_ids: Iterable[int], vocab_size: int) -> str:
    """One id that is below `vocab_size` and none of these.

    Ranges of what may come, both ends included: `<[^…]>` would let rows of padding behind the vocabulary pass.
    """
    ranges, first = [], 0
    for excluded in (*sorted(i for i in token_ids if i < vocab_size), vocab_size):
        if first < excluded:
            ranges.append(f"{first}-{excluded - 1}")
        first = excluded + 1
    return f"<[{','.join(ranges)}]>"
