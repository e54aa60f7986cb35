"""Usage in the shape of chat completions, at the end and on the way.

https://platform.openai.com/docs/api-reference/chat/object#chat-object-usage
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from steiner.reasoning.events import Event, Usage

ToldUsage = Literal["never", "at the end", "always"]
"""Which chunks have usage: none; one extra chunk at the end; or that one, and every chunk for its choice so far."""


def total_usage(usages: Sequence[Usage]) -> Usage:
    """Usage of all choices. The prompt counts once, and only the first choice finds a cache from before the request."""
    return Usage(
        prompt_tokens=usages[0].prompt_tokens,
        completion_tokens=sum(usage.completion_tokens for usage in usages),
        reasoning_tokens=sum(usage.reasoning_tokens for usage in usages),
        answer_tokens=sum(usage.answer_tokens for usage in usages),
        forced_tokens=sum(usage.forced_tokens for usage in usages),
        cached_tokens=usages[0].cached_tokens,
    )


def usage_body(usage: Usage) -> dict[str, Any]:
    """Usage in OpenAI's shape; forced tokens are part of the completion and of the reasoning."""
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.total_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
        "completion_tokens_details": {
            "reasoning_tokens": usage.reasoning_tokens,
            "forced_tokens": usage.forced_tokens,
        },
    }


def count_so_far(counts: Mapping[str, int], events: Sequence[Event]) -> Usage:
    """Usage of a choice up to these events. At its start the completion has no tokens yet."""
    usage = Usage(**counts)
    if events[-1].type != "reasoning.started":
        return usage
    return Usage(
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=0,
        reasoning_tokens=0,
        answer_tokens=0,
        forced_tokens=0,
        cached_tokens=usage.cached_tokens,
    )
