"""Where a completion begins: a chat template may have written the start of reasoning, or an empty one, itself."""

from collections.abc import Sequence
from typing import Literal

from steiner.reasoning.protocol import BoundProtocol

Opening = Literal["before", "reasoning", "answer"]
"""In front of the start of reasoning, right behind it, or behind its end."""


def opening_of(bound: BoundProtocol, prompt_ids: Sequence[int]) -> Opening:
    """What the generation prompt, which is what follows the last end of a turn, leaves the model to write.

    QwQ's and R1's ends in `<think>` and a line feed, so the completion begins inside the reasoning; an empty
    `<think></think>`, which Qwen3's template writes with `enable_thinking=False`, leaves only the answer. Those tokens
    belong to the prompt. A caller's text cannot forge them where `prompt_ids` comes from a `PromptEncoder`.
    """
    for token_id in reversed(prompt_ids):
        if token_id == bound.reasoning_start_id:
            return "reasoning"
        if token_id == bound.reasoning_end_id:
            return "answer"
        if token_id == bound.end_of_turn_id:
            break
    return "before"
