"""The protocol of peakji/steiner-32b-preview: its 14 tokens, no verdicts, and backtracks that do not say where to.

Names from the author's report (https://medium.com/@peakji/a-small-step-towards-reproducing-openai-o1-b9a756a00855).
The reflection is where that model checks itself, so it plays the role of the verification. The title says what the step
is about to do. A backtrack's parent is unknown, and reported as unknown. The frame of a step is that of `steiner`.
"""

from dataclasses import replace

from steiner.reasoning.protocol import SectionMarkers, SectionRole
from steiner.reasoning.protocols.steiner import STEINER


def _section(name: str, role: SectionRole) -> SectionMarkers:
    return SectionMarkers(name, role, f"<|reasoning_step_{name}_start|>", f"<|reasoning_step_{name}_end|>")


STEINER_PREVIEW = replace(
    STEINER,
    name="steiner-preview",
    sections=(
        _section("name", "next_step"),
        _section("thought", "understanding"),
        _section("summary", "summary"),
        _section("reflection", "verification"),
    ),
    verified=None,
    refuted=None,
    names_depth=False,
)
