"""The protocol that this project trains: four sections a step, a verdict, and backtracks that name a depth."""

from steiner.reasoning.protocol import Protocol, SectionMarkers, SectionRole


def _section(role: SectionRole) -> SectionMarkers:
    return SectionMarkers(role, role, f"<|reasoning_step_{role}_start|>", f"<|reasoning_step_{role}_end|>")


STEINER = Protocol(
    name="steiner",
    reasoning_start="<|reasoning_start|>",
    reasoning_end="<|reasoning_end|>",
    proceed="<|reasoning_proceed|>",
    backtrack="<|reasoning_backtrack|>",
    step_start="<|reasoning_step_start|>",
    step_end="<|reasoning_step_end|>",
    sections=(
        _section("understanding"),
        _section("next_step"),
        _section("verification"),
        _section("summary"),
    ),
    verified="<|reasoning_verified|>",
    refuted="<|reasoning_refuted|>",
    names_depth=True,
    end_of_turn="<|im_end|>",
)
