"""The programs of docs/clients.md whose packages are not the server's, as they stand there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .clients import install_ai_sdk, lines_of, python_of_clients
from .documented import blocks, for_server

TWO_TURNS = ["22", "make 4"]
STEPS = ["1 verified left 1", "2 refuted left 2", "2 verified left 3"]
PRINTED = {
    "LiteLLM": [*STEPS, *TWO_TURNS],
    "openai-agents": TWO_TURNS,
    "pydantic-ai": TWO_TURNS,
    "instructor": ["found=True"],
}


@pytest.fixture
def two_turns(stage: Any, serve: Any) -> Any:
    """Three steps and an answer, twice."""
    engine = stage.engine(*(stage.with_backtrack.replace("make 22", answer) for answer in TWO_TURNS))
    return serve(engine)


@pytest.mark.parametrize("client", PRINTED)
def test_the_documented_python_program_runs(
    client: str, stage: Any, serve: Any, two_turns: Any, tmp_path: Path
) -> None:
    served = two_turns
    if client == "instructor":
        served = serve(stage.engine(f"<start>{stage.step()}<end>", '{"found": true}<eot>'))
    [program] = blocks(client, "python")
    command: list[str | Path] = [python_of_clients(), "-"]
    assert lines_of(command, tmp_path, for_server(program, served.url, "tiny")) == PRINTED[client]
    if client in ("LiteLLM", "openai-agents", "pydantic-ai"):
        prompt = stage.tokenizer.decode(served.engine.requests[-1].prompt_ids)
        assert [prompt.count(f"left {number}") for number in (1, 2, 3)] == [1, 0, 1]


def test_the_documented_node_program_runs(stage: Any, two_turns: Any, program: Callable[[str], str]) -> None:
    [written] = blocks("Vercel AI SDK", "javascript")
    command: list[str | Path] = [program("node"), "--input-type=module", "-"]
    printed = lines_of(command, install_ai_sdk(program("npm")), for_server(written, two_turns.url, "tiny"))
    assert printed == ["left 1", "left 2", "left 3", *TWO_TURNS]
    prompt = stage.tokenizer.decode(two_turns.engine.requests[-1].prompt_ids)
    assert [prompt.count(f"left {number}") for number in (1, 2, 3)] == [1, 0, 1]
