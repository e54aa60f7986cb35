"""Log probabilities through the conductor: those of the answer, once each, and nothing where nobody asked."""

from typing import Any

import pytest

from steiner.reasoning.parser.stop_strings import StopRule
from steiner.reasoning.tree.trace_of_events import trace_of
from steiner.server.conductor.assignment import AnswerFormat
from steiner.server.engine.base import TokenLogprobs
from steiner.server.engine.scripted_engine import Script, ScriptedEngine

REASONING_LOGPROB, ANSWER_LOGPROB = -7.0, -0.25


def script(stage: Any, reasoning: str, answer: str, per_update: int) -> Script:
    first, second = stage.ids_of(reasoning), stage.ids_of(answer)
    told = [TokenLogprobs(REASONING_LOGPROB)] * len(first)
    told += [TokenLogprobs(ANSWER_LOGPROB, ((one, ANSWER_LOGPROB), (second[0], -3.0))) for one in second]
    return Script([*first, *second], per_update, logprobs=told)


def told_by(events: list[Any]) -> list[Any]:
    return [token for event in events if event.type == "answer.delta" for token in event.logprobs or ()]


@pytest.mark.parametrize("per_update", [1, 3, 1000])
@pytest.mark.parametrize("num_logprobs", [0, 1, 2])
async def test_each_token_of_the_answer_is_told_once(stage: Any, per_update: int, num_logprobs: int) -> None:
    engine = ScriptedEngine([script(stage, f"<start>{stage.step()}<end>", "make 22<eot>", per_update)])
    conductor = stage.conductor(engine, num_logprobs=num_logprobs)
    events = await stage.events(conductor.run())
    told = told_by(events)
    assert "".join(token.token for token in told) == conductor.trace.answer == "make 22"
    assert {token.logprob for token in told} == {ANSWER_LOGPROB}
    assert {len(token.top_logprobs) for token in told} == {num_logprobs}
    assert engine.requests[0].num_logprobs == num_logprobs
    assert trace_of(events).answer == "make 22"


@pytest.mark.parametrize("per_update", [1, 3, 1000])
async def test_those_of_a_stop_string_are_not_told(stage: Any, per_update: int) -> None:
    engine = ScriptedEngine(
        [script(stage, f"<start>{stage.step()}<end>", "make 22 from 15<eot>", per_update)]
    )
    conductor = stage.conductor(engine, num_logprobs=0, stop=StopRule((" from",)))
    events = await stage.events(conductor.run())
    assert "".join(token.token for token in told_by(events)) == conductor.trace.answer == "make 22"


async def test_a_request_that_stops_in_front_of_the_answer_is_not_asked(stage: Any) -> None:
    scripts = [
        script(stage, f"<start>{stage.step()}<end>", "", 1),
        script(stage, "", "22<eot>", 1),
    ]
    engine = ScriptedEngine(scripts)
    conductor = stage.conductor(engine, num_logprobs=1, answer_format=AnswerFormat("any", "any grammar"))
    events = await stage.events(conductor.run())
    assert [request.num_logprobs for request in engine.requests] == [None, 1]
    assert [token.token for token in told_by(events)] == ["22"]


async def test_nobody_asked(stage: Any) -> None:
    engine = ScriptedEngine([script(stage, f"<start>{stage.step()}<end>", "22<eot>", 1)])
    events = await stage.events(stage.conductor(engine).run())
    assert engine.requests[0].num_logprobs is None
    assert told_by(events) == []
    assert {event.logprobs for event in events if event.type == "answer.delta"} == {None}
