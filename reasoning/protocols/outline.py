"""The protocol of text markers, for chat models that were not trained for any other.

The model is told the layout by a prompt (server/intake/protocol_prompts/) and held to it by a grammar over characters.
Tags say what they are for, as a model that has read XML would write them. A section's text follows its tag on the same
line and may have many lines. Models that think between tokens of their own reason between those.
"""

from steiner.reasoning.protocol import Protocol, SectionMarkers, SectionRole


def _section(role: SectionRole) -> SectionMarkers:
    return SectionMarkers(role, role, f"<{role}>", f"</{role}>")


OUTLINE = Protocol(
    name="outline",
    is_text=True,
    native_frames=(("<think>", "</think>"),),
    reasoning_start="<reasoning>",
    reasoning_end="</reasoning>",
    step_start="<step>",
    step_end="</step>",
    sections=(
        _section("understanding"),
        _section("next_step"),
        _section("verification"),
        _section("summary"),
    ),
    verified="<verdict>holds</verdict>",
    refuted="<verdict>fails</verdict>",
    proceed="<proceed/>",
    backtrack='<backtrack to="',
    depth_end='"/>',
    names_depth=True,
)
