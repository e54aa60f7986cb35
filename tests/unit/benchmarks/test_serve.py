"""What the lanes of the serving benchmark are sent: the same work, in the words of each server."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from transformers import PreTrainedTokenizerFast

from steiner.server.api.chat.request import ChatRequest

FOLDER = Path(__file__).resolve().parents[3] / "benchmarks"


@pytest.fixture(scope="module")
def serve() -> Iterator[ModuleType]:
    """benchmarks/ holds scripts beside each other and no package: imported as they import each other."""
    known = set(sys.modules)
    sys.path.insert(0, str(FOLDER))
    yield importlib.import_module("serve")
    sys.path.remove(str(FOLDER))
    for name in {"serve", "serving_lanes", "chat_load", "raw_engine", "processes"} & set(sys.modules) - known:
        del sys.modules[name]


@pytest.fixture(params=[True, False], ids=["problems", "walks"])
def bodies(
    serve: ModuleType, request: pytest.FixtureRequest, tokenizer: PreTrainedTokenizerFast, tmp_path: Path
) -> dict[str, dict[str, Any]]:
    tokenizer.save_pretrained(tmp_path)
    made: dict[str, dict[str, Any]] = serve.bodies_of(tmp_path, 64, on_problems=request.param)
    return made


def test_our_server_takes_its_own(bodies: dict[str, dict[str, Any]]) -> None:
    body = ChatRequest.model_validate(bodies["steiner"] | {"stream": True})
    assert body.temperature == bodies["free"]["temperature"] == bodies["grammar"]["temperature"]


def test_vllms_gets_as_many_tokens_and_the_same_grammar(bodies: dict[str, dict[str, Any]]) -> None:
    most = bodies["steiner"]["max_completion_tokens"]
    assert bodies["free"]["max_tokens"] == bodies["grammar"]["max_tokens"] == most
    assert bodies["grammar"]["structured_outputs"]["grammar"].startswith("%llguidance")
    assert "structured_outputs" not in bodies["free"]
    assert bodies["free"]["messages"] == bodies["steiner"]["messages"]
