"""A file of settings, keys and a collector of spans together, on one real engine; and how that engine ends.

Named so that pytest is done with this server before it starts that of the other tests: two engines at once are slow.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import openai
import psutil
import pytest
import yaml
from tests.official_client import official_client

from steiner.cli.local_server import LocalServer, free_port, serve_command
from steiner.server.access.keys import hash_key, new_key

pytestmark = pytest.mark.e2e

# Long enough for two blocks of the prefix cache, 32 tokens each.
PROBLEM = "make 22 from 15 4 11 " + "and then make 7 from 9 3 1 " * 8
TRACE = "0af7651916cd43dd8448eb211c80319c"
CALLER_SPAN = "b7ad6b7169203331"
PARENT = {"traceparent": f"00-{TRACE}-{CALLER_SPAN}-01"}


@dataclass(frozen=True, slots=True)
class Configured:
    """The server, a key of a caller, and what was sent of its spans."""

    url: str
    key: str
    collector: Any
    pid: int
    core: int

    def client(self, **options: Any) -> openai.OpenAI:
        return official_client(self, api_key=self.key, timeout=120, **options)


@pytest.fixture
def configured(random_checkpoint: Path, tmp_path: Path, collector: Any) -> Iterator[Configured]:
    key, port = new_key(), free_port()
    settings = {
        "served-model-name": "configured",
        "api_keys": [{"name": "ann", "sha256": hash_key(key), "max_concurrent": 1}],
        "reasoning": {"max_steps": 2, "max_section_tokens": 4},
        "store-path": str(tmp_path / "generations.sqlite3"),
        "log-format": "json",
    }
    file = tmp_path / "steiner.yaml"
    file.write_text(yaml.safe_dump(settings))
    command = serve_command(random_checkpoint, port)
    command += ["--config", str(file), "--otlp-traces-endpoint", collector.endpoint]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/protobuf")
        core = min(os.sched_getaffinity(0))
        patch.setenv("VLLM_CPU_OMP_THREADS_BIND", str(core))
        # Spans of the engine are sent soon, and not only when it ends.
        patch.setenv("OTEL_BSP_SCHEDULE_DELAY", "200")
        with LocalServer(command, port) as server:
            server.wait_until_ready(timeout_s=600)
            yield Configured(server.url, key, collector, server.pid, core)


def test_they_work_together(configured: Configured, eventually: Any) -> None:
    url, collector = configured.url, configured.collector
    body: dict[str, Any] = {"messages": [{"role": "user", "content": PROBLEM}], "max_tokens": 200}
    stranger = httpx.post(
        f"{url}/v1/chat/completions", json=body, headers={"Authorization": "Bearer sk-other"}
    )
    assert stranger.status_code == 401
    with configured.client(default_headers=PARENT) as client:
        assert [model.id for model in client.models.list()] == ["configured"]
        first, second = (client.responses.create(model="configured", input=PROBLEM) for _ in range(2))
        # The limits of the file hold, and the real prefix cache is told of.
        assert first.reasoning.max_steps == 2
        assert len([item for item in first.output if item.type == "reasoning"]) <= 2
        cached = [response.usage.input_tokens_details.cached_tokens for response in (first, second)]
        assert 0 == cached[0] < 32 <= cached[1] <= second.usage.input_tokens
        chat = client.chat.completions.create(model="configured", **body)
        assert chat.usage.prompt_tokens_details.cached_tokens == cached[1]
        told = client.responses.create(
            model="configured",
            input=PROBLEM,
            reasoning={"effort": "none"},
            max_output_tokens=8,
            include=["message.output_text.logprobs"],
            top_logprobs=3,
        )
        [part] = told.output[-1].content or []
        assert part.text != ""
        said = b"".join(bytes(token.bytes) for token in part.logprobs).decode(errors="replace")
        # The tokens may end inside a character, and the answer then before it.
        assert said.startswith(part.text)
        assert set(said[len(part.text) :]) <= {"\ufffd"}
        assert {len(token.top_logprobs) for token in part.logprobs} == {3}
        assert client.responses.retrieve(told.id) == told
        # A limit of this key.
        with pytest.raises(openai.BadRequestError, match=r"n \(2\) is above 1"):
            client.chat.completions.create(model="configured", n=2, **body)
    assert_each_span_of_the_engine_is_a_child(collector, eventually)
    assert_the_engine_is_one_process_and_missed(configured, eventually)


def assert_the_engine_is_one_process_and_missed(configured: Configured, eventually: Any) -> None:
    """A model that computes on one core has no second process; without the engine the server says so."""
    below = psutil.Process(configured.pid).children(recursive=True)
    # vLLM names its processes.
    [engine] = [process for process in below if process.name().startswith("VLLM::")]
    assert engine.cpu_affinity() == [configured.core]
    assert httpx.get(f"{configured.url}/health").status_code == 200
    engine.kill()
    eventually(lambda: httpx.get(f"{configured.url}/health").status_code == 503, timeout_s=60)


def assert_each_span_of_the_engine_is_a_child(collector: Any, eventually: Any) -> None:
    """Caller, then the server's span, then the engine's, in one trace."""

    def of_caller() -> list[tuple[str, Any]]:
        return [(service, span) for service, span in collector.spans if span.trace_id.hex() == TRACE]

    eventually(lambda: sum(span.name == "llm_request" for _, span in of_caller()) >= 4, timeout_s=60)
    eventually(lambda: sum(service == "steiner" for service, _ in of_caller()) >= 7, timeout_s=60)
    requests = {span.span_id for service, span in of_caller() if service == "steiner"}
    engine = [span for _, span in of_caller() if span.name == "llm_request"]
    assert {span.parent_span_id for span in engine} <= requests
    told = {one.key: one.value for one in engine[0].attributes}
    assert told["gen_ai.usage.prompt_tokens"].int_value > 64
    for service, span in of_caller():
        if service == "steiner":
            assert span.parent_span_id.hex() == CALLER_SPAN
    assert "make 22" not in str(collector.spans)
