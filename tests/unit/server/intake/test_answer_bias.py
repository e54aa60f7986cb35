"""Biases of a request: on the answer alone, with and without a format, and never on markers."""

from typing import Any

import pytest

from steiner.reasoning.policy import Policy
from steiner.server.api.chat.request import ChatRequest
from steiner.server.conductor.assignment import AnswerFormat
from steiner.server.errors import InvalidRequest
from steiner.server.intake.answer_rules import resolve_answer_bias


@pytest.mark.parametrize("answer_format", [None, AnswerFormat("any", "any grammar")])
async def test_the_reasoning_is_sampled_without(stage: Any, answer_format: AnswerFormat | None) -> None:
    [left] = stage.ids_of("left")
    reasoning, answer = stage.one_step.split("<end>")
    engine = stage.engine(f"{reasoning}<end>", answer)
    conductor = stage.conductor(
        engine, Policy(backtrack_bias=2.0), answer_format=answer_format, answer_bias={left: 5.0}
    )
    await stage.events(conductor.run())
    first, second = engine.requests
    assert first.logit_bias == {stage.bound.backtrack_id: 2.0}
    assert first.stop_ids == (stage.bound.end_of_turn_id, stage.bound.reasoning_end_id)
    assert second.logit_bias[left] == 5.0
    assert set(second.logit_bias) == {left}
    assert second.grammar is not None
    assert conductor.trace.answer == "22"
    assert [cut.kind for cut in conductor.trace.interventions] == ["answer"]


def test_markers_and_unknown_ids_are_refused(stage: Any) -> None:
    for token_id in (stage.bound.vocab_size, stage.bound.verified_id, stage.bound.end_of_turn_id):
        body = {"messages": [{"role": "user", "content": "a"}], "logit_bias": {str(token_id): 1}}
        with pytest.raises(InvalidRequest) as refused:
            resolve_answer_bias(ChatRequest.model_validate(body), stage.bound)
        assert refused.value.param == f"logit_bias.{token_id}"
