"""Which speculation an engine gets: what is asked for, else ours unless something speaks against it."""

from __future__ import annotations

from typing import Any

import pytest

from steiner.reasoning.grammar.certain_tokens import Mark
from steiner.server.engine.speculation.choice import MAX_DRAFT, choose_speculation
from steiner.server.engine.speculation.marks import CONFIG_KEY, read_marks
from steiner.server.engine.vllm_engine import engine_arguments
from steiner.server.settings import Settings

CERTAIN = (Mark((5,), 1, None, ((6,), (6,), (6,))),)
UNCERTAIN = (Mark((5,), 1, None, ((), (), ())),)


def chosen(marks: tuple[Mark, ...] = CERTAIN, *, on_cpu: bool = True, **fields: Any) -> Any:
    return choose_speculation(Settings(model="m", **fields), marks, on_cpu=on_cpu)


@pytest.mark.parametrize("on_cpu", [True, False])
def test_ours_is_the_default(on_cpu: bool) -> None:
    speculation = chosen(on_cpu=on_cpu)
    assert speculation.mode == "protocol"
    config = speculation.arguments["speculative_config"]
    assert (config["method"], config["num_speculative_tokens"]) == ("custom_class", MAX_DRAFT)
    own = speculation.arguments["additional_config"][CONFIG_KEY]
    assert read_marks(own["marks"]) == CERTAIN
    assert own["on_cpu"] == on_cpu
    assert not any(speculation.counts.read().values())


def test_what_is_asked_for_is_given() -> None:
    assert chosen(speculation="off").mode == "off"
    assert chosen(speculation="off").arguments == {}
    ngram = chosen(speculation="ngram")
    assert (ngram.mode, ngram.arguments["speculative_config"]["method"]) == ("ngram", "ngram")
    assert ngram.counts is None
    assert (
        chosen(UNCERTAIN, speculation="protocol", on_cpu=False, pipeline_parallel_size=2).mode == "protocol"
    )


@pytest.mark.parametrize("speculation", ["auto", "protocol", "ngram", "off"])
def test_an_own_configuration_outranks_everything(speculation: str) -> None:
    own = {"method": "ngram", "num_speculative_tokens": 2}
    fields: dict[str, Any] = {"speculation": speculation, "engine_args": {"speculative_config": own}}
    given = chosen(**fields)
    assert given.mode == "own"
    known = frozenset({"speculative_config"})
    arguments = engine_arguments(Settings(model="m", **fields), on_cpu=True, known=known, speculation=given)
    assert arguments["speculative_config"] == own


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"engine_args": {"worker_extension_cls": "a.B"}}, "worker_extension_cls"),
        ({"engine_args": {"logits_processors": ["a.B"]}}, "logits_processors"),
        ({"engine_args": {"async_scheduling": True}}, "async_scheduling"),
        ({"pipeline_parallel_size": 2}, "pipeline"),
    ],
)
def test_auto_leaves_it_off_and_says_why(fields: dict[str, Any], word: str) -> None:
    speculation = chosen(**fields)
    assert speculation.mode == "off"
    assert word in speculation.reason


def test_on_a_gpu_a_protocol_has_to_force_something() -> None:
    assert chosen(UNCERTAIN, on_cpu=True).mode == "protocol"
    without = chosen(UNCERTAIN, on_cpu=False)
    assert without.mode == "off"
    assert "asynchronous scheduling" in without.reason


def test_keys_of_the_users_own_stay() -> None:
    settings = Settings(model="m", engine_args={"additional_config": {"mine": 1}})
    speculation = choose_speculation(settings, CERTAIN, on_cpu=True)
    known = frozenset({"additional_config"})
    arguments = engine_arguments(settings, on_cpu=True, known=known, speculation=speculation)
    assert set(arguments["additional_config"]) == {"mine", CONFIG_KEY}
