"""Traces as text with the protocol's markers, and as records in a file."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypedDict

from steiner.reasoning.protocols.steiner import STEINER
from steiner.training.problems.base import SectionTexts
from steiner.training.traces.walk import TaughtTrace, TraceStep, Verdict

_SECTIONS = {section.role: section for section in STEINER.sections}
_VERDICTS: Mapping[Verdict, str] = {"verified": STEINER.verified or "", "refuted": STEINER.refuted or ""}


def sections_text(sections: SectionTexts, verdict: Verdict) -> str:
    """The sections of a step that are not empty, in the protocol's order, the verdict at the end of verification."""
    parts = []
    for role, markers in _SECTIONS.items():
        text = getattr(sections, role)
        if text:
            closing = _VERDICTS[verdict] if role == "verification" else ""
            parts.append(f"{markers.start}{text}{closing}{markers.end}")
    return "".join(parts)


def step_text(step: TraceStep) -> str:
    """One step and the decision after it; the decision to end is the end of reasoning and is written elsewhere."""
    body = f"{STEINER.step_start}{sections_text(step.sections, step.verdict)}{STEINER.step_end}"
    match step.decision:
        case "end":
            return body
        case "proceed":
            return f"{body}{STEINER.proceed}"
        case depth:
            return f"{body}{STEINER.backtrack}{depth}"


@dataclass(frozen=True, slots=True)
class RenderedTrace:
    """The assistant's turn in two parts: what lies between the start and the end of reasoning, and the answer."""

    reasoning: str
    answer: str

    @property
    def turn(self) -> str:
        """Both, with the markers around the reasoning."""
        return f"{STEINER.reasoning_start}{self.reasoning}{STEINER.reasoning_end}{self.answer}"


def render(trace: TaughtTrace) -> RenderedTrace:
    return RenderedTrace("".join(step_text(step) for step in trace.steps), trace.answer)


class StepRecord(TypedDict):
    """One step in a file.

    Attributes:
        to_depth: with the decision `backtrack`, the depth on the live path to go back to, 0 for the problem itself.
        node: the node of the problem's DAG that the step leads to.
    """

    understanding: str
    next_step: str
    verification: str
    verdict: Verdict
    summary: str
    decision: Literal["proceed", "backtrack", "end"]
    to_depth: int | None
    node: int


class SearchFields(TypedDict):
    """A search and its answer in a file."""

    steps: list[StepRecord]
    answer: str


def trace_to_json(trace: TaughtTrace) -> SearchFields:
    """Fields of a record that a person can read and `trace_from_json` restores."""
    return {"steps": [_step_to_json(step) for step in trace.steps], "answer": trace.answer}


def _step_to_json(step: TraceStep) -> StepRecord:
    return {
        "understanding": step.sections.understanding,
        "next_step": step.sections.next_step,
        "verification": step.sections.verification,
        "verdict": step.verdict,
        "summary": step.sections.summary,
        "decision": "backtrack" if isinstance(step.decision, int) else step.decision,
        "to_depth": step.decision if isinstance(step.decision, int) else None,
        "node": step.node,
    }


def trace_from_json(record: Mapping[str, Any]) -> TaughtTrace:
    steps = tuple(
        TraceStep(
            SectionTexts(step["understanding"], step["next_step"], step["verification"], step["summary"]),
            step["verdict"],
            step["to_depth"] if step["decision"] == "backtrack" else step["decision"],
            step["node"],
        )
        for step in record["steps"]
    )
    return TaughtTrace(steps, record["answer"])
