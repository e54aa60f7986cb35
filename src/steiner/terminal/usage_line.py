"""Token counts of a generation in one line."""

from steiner.reasoning.events import Usage


def usage_line(usage: Usage) -> str:
    """Prompt, reasoning and answer tokens, and how many of them were forced rather than sampled."""
    forced = f", {usage.forced_tokens} of them forced" if usage.forced_tokens else ""
    return (
        f"tokens: {usage.prompt_tokens} prompt, {usage.reasoning_tokens} reasoning, "
        f"{usage.answer_tokens} answer{forced}"
    )
