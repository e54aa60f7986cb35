"""What one generation has taken, in the numbers of the event `usage`."""

from __future__ import annotations

from steiner.reasoning.parser import Parser


def token_counts(parser: Parser, num_prompt: int, num_completion: int, num_cached: int) -> dict[str, int]:
    """Counts by their names in the event.

    Args:
        num_completion: all tokens behind the prompt, forced ones included.
        num_cached: tokens that the prefix cache had of the first request, which may have forced ones behind the prompt.
    """
    return {
        "prompt_tokens": num_prompt,
        "completion_tokens": num_completion,
        "reasoning_tokens": parser.num_reasoning_tokens,
        "answer_tokens": parser.num_answer_tokens,
        "forced_tokens": parser.num_forced_tokens,
        "cached_tokens": min(num_cached, num_prompt),
    }
