"""A taught trace as text is legal for the automaton and reads back as the very same steps."""

import json
from typing import Any

from transformers import PreTrainedTokenizerFast

from steiner.reasoning.automaton import Automaton
from steiner.reasoning.parser import Parser
from steiner.reasoning.parser.decoding import section_texts
from steiner.reasoning.policy import Policy
from steiner.reasoning.protocol import BoundProtocol
from steiner.reasoning.protocols.steiner import STEINER
from steiner.reasoning.steps import Backtrack, Decision, End, Proceed
from steiner.training.problems.base import SectionTexts
from steiner.training.traces.render import render, sections_text, step_text, trace_from_json, trace_to_json
from steiner.training.traces.walk import TraceStep

WIDE = Policy(max_steps=1000, max_depth=60, max_backtracks=1000)


def token_ids(example: Any, tokenizer: PreTrainedTokenizerFast) -> list[int]:
    rendered = render(example.trace)
    text = f"{STEINER.reasoning_start}{rendered.reasoning}{STEINER.reasoning_end}{rendered.answer}<|im_end|>"
    ids: list[int] = tokenizer.encode(text, add_special_tokens=False)
    return ids


def taught(decision: Decision | None) -> str | int | None:
    match decision:
        case Proceed():
            return "proceed"
        case End():
            return "end"
        case Backtrack(to_depth=depth):
            return depth
        case None:
            return None


def test_every_trace_is_legal(
    examples: list[Any], tokenizer: PreTrainedTokenizerFast, bound: BoundProtocol
) -> None:
    automaton = Automaton(bound, WIDE)
    for example in examples:
        state = automaton.initial
        for token_id in token_ids(example, tokenizer):
            state = automaton.advance(state, token_id)
        assert state.phase == "done"
        assert state.num_steps == len(example.trace.steps)
        assert state.num_backtracks == example.trace.num_backtracks


def test_every_trace_is_read_back(
    examples: list[Any], tokenizer: PreTrainedTokenizerFast, bound: BoundProtocol
) -> None:
    for example in examples:
        parser = Parser(bound, section_texts(tokenizer.backend_tokenizer))
        parser.feed(token_ids(example, tokenizer))
        parser.close("stop")
        trace = parser.trace
        assert trace.num_violations == 0
        assert trace.answer == example.trace.answer
        assert trace.ended_by == "model"
        read = [
            (
                {section.role: section.text for section in step.sections},
                step.verdict,
                taught(step.decision),
                step.interrupted,
            )
            for step in trace.steps
        ]
        written = [
            (
                {
                    "understanding": step.sections.understanding,
                    "next_step": step.sections.next_step,
                    "verification": step.sections.verification,
                    "summary": step.sections.summary,
                },
                step.verdict,
                step.decision,
                False,
            )
            for step in example.trace.steps
        ]
        assert read == written


def test_the_file_holds_all_of_a_trace(examples: list[Any]) -> None:
    for example in examples:
        assert trace_from_json(json.loads(json.dumps(trace_to_json(example.trace)))) == example.trace


def test_sections_stand_in_the_order_of_the_protocol_and_empty_ones_are_left_out() -> None:
    assert sections_text(SectionTexts("u", "n", "v", "s"), "refuted") == (
        "<|reasoning_step_understanding_start|>u<|reasoning_step_understanding_end|>"
        "<|reasoning_step_next_step_start|>n<|reasoning_step_next_step_end|>"
        "<|reasoning_step_verification_start|>v<|reasoning_refuted|><|reasoning_step_verification_end|>"
        "<|reasoning_step_summary_start|>s<|reasoning_step_summary_end|>"
    )
    assert sections_text(SectionTexts("", "n", "", ""), "verified") == (
        "<|reasoning_step_next_step_start|>n<|reasoning_step_next_step_end|>"
    )


def test_a_decision_stands_behind_its_step() -> None:
    sections = SectionTexts("u", "n", "v", "s")
    assert step_text(TraceStep(sections, "verified", "end", 1)).endswith(f"{STEINER.step_end}")
    assert step_text(TraceStep(sections, "verified", "proceed", 1)).endswith(
        f"{STEINER.step_end}{STEINER.proceed}"
    )
    assert step_text(TraceStep(sections, "refuted", 0, 1)).endswith(f"{STEINER.step_end}{STEINER.backtrack}0")
