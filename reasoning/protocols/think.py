"""The protocol of models that think between `<think>` and `</think>`: one step, one section, and no type for either.

DeepSeek-R1 and its distillations, QwQ and Qwen3 write it. Their tokenizers do not call the two tokens special, and
their turns end differently (`<|im_end|>`, or R1's end of sentence), so the end is the tokenizer's own. The templates
of R1 and QwQ write `<think>` themselves: `opening_of` sees that the completion then begins inside the reasoning.

An effort cannot limit steps here. The numbers are this project's own: each effort costs about four times the one below
it, and `high` leaves only the model's length.
"""

from steiner.reasoning.protocol import Protocol, SectionMarkers

THINK = Protocol(
    name="think",
    reasoning_start="<think>",
    reasoning_end="</think>",
    sections=(SectionMarkers("thought", "thought"),),
    effort_tokens=(("minimal", 1_024), ("low", 4_096), ("medium", 16_384)),
)
