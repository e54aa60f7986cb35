"""Usage in the shape of chat completions, at the end and on the way.

https://platform.openai.com/docs/api-reference/chat/object#chat-object-usage
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from steiner.reasoning.events import Event, Usage

ToldUsage = Literal["never", "at the end", "always"]
"""Which chunks of a stream tell usage: none, one of its own behind all, or that and each one of its choice so far."""


def total_usage(usages: Sequence[Usage]) -> Usage:
    """Of all choices; the prompt is one, and the first to come finds in the cache what was there before."""
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
    """Usage of a choice whose newest events are these; nothing of the completion comes with its start."""
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
