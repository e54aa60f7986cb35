"""Limits of the deployment that the engine could not keep end its start."""

import json
from typing import Any

import pytest

from steiner.reasoning.protocols.steiner import STEINER
from steiner.server.model.loading import LoadError, policy_of_settings
from steiner.server.settings import Settings

OWN = json.dumps({"speculative_config": {"method": "ngram", "num_speculative_tokens": 2}})


@pytest.mark.parametrize("given", [{"speculation": "ngram"}, {"engine_args": json.loads(OWN)}], ids=str)
@pytest.mark.parametrize("bias", ["backtrack_bias", "end_bias"])
def test_biases_do_not_go_with_speculation_of_vllms(given: dict[str, Any], bias: str) -> None:
    settings = Settings(model="m", reasoning={bias: 1.0}, **given)
    with pytest.raises(LoadError, match="--speculation protocol or off"):
        policy_of_settings(settings, STEINER)
    assert policy_of_settings(Settings(model="m", **given), STEINER)


@pytest.mark.parametrize("speculation", ["auto", "protocol", "off"])
def test_they_go_with_ours(speculation: str) -> None:
    settings = Settings(model="m", reasoning={"end_bias": 1.0}, speculation=speculation)
    assert policy_of_settings(settings, STEINER).end_bias == 1.0
