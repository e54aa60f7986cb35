"""Token counts of a generation in one line."""

from steiner.reasoning.events import Usage


def usage_line(usage: Usage) -> str:
    """Prompt, reasoning and answer tokens, and how many of them were forced rather than sampled."""
    return token_line(usage.prompt_tokens, usage.reasoning_tokens, usage.answer_tokens, usage.forced_tokens)


def token_line(num_prompt: int, num_reasoning: int, num_answer: int, num_forced: int) -> str:
    """The same from the counts themselves."""
    forced = f", {num_forced} of them forced" if num_forced else ""
    return f"tokens: {num_prompt} prompt, {num_reasoning} reasoning, {num_answer} answer{forced}"
