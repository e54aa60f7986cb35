"""The tiny model's tokenizer, a stage on which engines play what tests write for them, and servers.

`serve` starts servers on scripted engines; `server` is a process with vLLM, one in a test run for each model.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client import CollectorRegistry

from steiner.reasoning.events import Event
from steiner.reasoning.parser.decoding import section_texts
from steiner.reasoning.policy import Policy
from steiner.reasoning.protocol import BoundProtocol
from steiner.reasoning.protocols.steiner import STEINER
from steiner.reasoning.verifiers.base import Verifier
from steiner.server.conductor.assignment import AnswerFormat, Assignment
from steiner.server.conductor.conductor import Conductor
from steiner.server.engine.base import Sampling
from steiner.server.engine.scripted_engine import Script, ScriptedEngine
from steiner.server.engine.token_spelling import TokenSpelling
from steiner.server.intake.loaded_model import LoadedModel
from steiner.server.intake.prompts import PromptEncoder
from steiner.server.model.service import Service
from steiner.server.settings import Settings

from .collector import Collector
from .grammar_walks import ByteGrammar
from .installed_programs import find_program
from .official_client import close_official_clients
from .played_teacher import Play, PlayedTeacher
from .redis_server import RedisServer, free_port
from .running_server import SHIPPED, RunningServer, start_server, stop_while_reasoning
from .scripted_server import Served, ServerThread, wait_until

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from transformers import PreTrainedTokenizerFast

Ids = Callable[[str], list[int]]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With `-n 2`: fixtures of a module are made once, and so is the server that many modules ask."""
    from .scopes import ScopeScheduling

    return ScopeScheduling(config, log)


@pytest.fixture(autouse=True)
def no_client_outlives_its_test() -> Iterator[None]:
    yield
    close_official_clients()


@pytest.fixture(scope="session")
def program() -> Callable[[str], str]:
    """Path of a program by its name."""
    return find_program


@pytest.fixture(scope="session")
def tokenizer() -> PreTrainedTokenizerFast:
    """Built, not loaded: no weights are needed."""
    from steiner.training.model.tokenizer import build_tokenizer, family_words

    return build_tokenizer(family_words(), 2048)


@pytest.fixture(scope="session")
def bound(tokenizer: PreTrainedTokenizerFast) -> BoundProtocol:
    """Protocol `steiner` in that tokenizer's ids."""
    return STEINER.bind(tokenizer)


@pytest.fixture(scope="session")
def ids_of(tokenizer: PreTrainedTokenizerFast) -> Ids:
    """Ids of a text in which markers are written in short: `<proceed>` for `<|reasoning_proceed|>`."""
    names = {token.removeprefix("<|reasoning_").removesuffix("|>"): token for token in STEINER.special_tokens}

    def encode(text: str) -> list[int]:
        for name, token in names.items():
            text = text.replace(f"<{name}>", token)
        ids: list[int] = tokenizer.encode(text.replace("<eot>", "<|im_end|>"), add_special_tokens=False)
        return ids

    return encode


@dataclass(frozen=True)
class Stage:
    """Scripts in the short spelling of `ids_of`, and everything from a conductor to a service to play them."""

    bound: BoundProtocol
    tokenizer: PreTrainedTokenizerFast
    ids_of: Ids

    @staticmethod
    def step(verdict: str = "verified", number: int = 1) -> str:
        """One step of 23 tokens; each section has two tokens of text."""
        texts = {"understanding": "", "next_step": "", "verification": f"<{verdict}>", "summary": ""}
        sections = "".join(
            f"<step_{name}_start>left {number}{verdict_token}<step_{name}_end>"
            for name, verdict_token in texts.items()
        )
        return f"<step_start>{sections}<step_end>"

    @property
    def one_step(self) -> str:
        return f"<start>{self.step()}<end>22<eot>"

    @property
    def with_backtrack(self) -> str:
        steps = f"{self.step()}<proceed>{self.step('refuted', 2)}<backtrack>1{self.step(number=3)}"
        return f"<start>{steps}<end>make 22<eot>"

    @property
    def spelling(self) -> TokenSpelling:
        return TokenSpelling(self.tokenizer, self.bound.special_ids)

    def engine(self, *texts: str, per_update: int = 1, holds: bool = False) -> ScriptedEngine:
        return ScriptedEngine([Script(self.ids_of(text), per_update, holds) for text in texts])

    def conductor(
        self,
        engine: ScriptedEngine,
        policy: Policy | None = None,
        max_tokens: int = 2000,
        verifier: Verifier | None = None,
        answer_format: AnswerFormat | None = None,
        **fields: Any,
    ) -> Conductor:
        """A conductor of an assignment; `fields` are further ones of it."""
        assignment = Assignment(
            id="rsn_test",
            model="tiny",
            prompt_ids=(1, 2, 3),
            policy=policy or Policy(),
            sampling=fields.pop("sampling", Sampling(seed=7)),
            max_tokens=max_tokens,
            problem="make 22 from 15 4 11",
            verifier=verifier,
            answer_format=answer_format,
            **fields,
        )
        new_decoder = section_texts(self.tokenizer.backend_tokenizer)
        return Conductor(engine, self.bound, assignment, new_decoder, self.spelling)

    def service(self, engine: ScriptedEngine, **settings: Any) -> Service:
        """A service with metrics of its own that is ready."""
        chosen: dict[str, Any] = {"served_model_name": "tiny", "store": "memory", **settings}
        service = Service(Settings(**chosen), CollectorRegistry())
        encoder = PromptEncoder(self.tokenizer, self.bound.special_ids)
        service.adopt(
            LoadedModel(
                engine,
                self.bound,
                encoder,
                section_texts(self.tokenizer.backend_tokenizer),
                self.spelling,
            )
        )
        return service

    @staticmethod
    async def events(batches: AsyncIterator[Sequence[Event]]) -> list[Event]:
        """Every event, in one list."""
        return [event async for batch in batches for event in batch]


@pytest.fixture(scope="session")
def stage(bound: BoundProtocol, tokenizer: PreTrainedTokenizerFast, ids_of: Ids) -> Stage:
    return Stage(bound, tokenizer, ids_of)


@pytest.fixture(scope="module")
def serve(stage: Stage) -> Iterator[Callable[..., Served]]:
    """Start servers over scripted engines; they stop with the module's last test."""
    running: list[ServerThread] = []

    def start(engine: ScriptedEngine, provider: TracerProvider | None = None, **settings: object) -> Served:
        service = stage.service(engine, **settings)
        server = ServerThread(service, provider)
        running.append(server)
        return Served(server.url, service, engine, server.loop, server.stop)

    yield start
    for server in running:
        server.stop()


@pytest.fixture(scope="session")
def byte_grammar() -> type[ByteGrammar]:
    """Grammars over the bytes, to walk through and to try texts on."""
    return ByteGrammar


@pytest.fixture(scope="session")
def eventually() -> Callable[..., None]:
    return wait_until


@pytest.fixture(scope="session")
def random_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A nano model whose weights are noise, with the protocol's tokens and a chat template."""
    folder = tmp_path_factory.mktemp("checkpoint") / "nano"
    subprocess.run([sys.executable, "-m", "steiner.training.random_checkpoint", folder], check=True)
    return folder


MODELS = ["random weights", *(["steiner-tiny"] if (SHIPPED / "config.json").is_file() else [])]


@pytest.fixture(scope="session", params=MODELS)
def server(
    request: pytest.FixtureRequest, random_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningServer]:
    """A server on each model in turn; never two at once."""
    model = SHIPPED if request.param == "steiner-tiny" else random_checkpoint
    running = start_server(model, tmp_path_factory.mktemp("server"))
    yield running
    exit_code, last_event = stop_while_reasoning(running)
    assert exit_code == 0, f"after SIGTERM the server ended with {exit_code}:\n{running.tail()}"
    assert last_event == "event: done", "what ran at SIGTERM was not finished"
    assert "Traceback" not in running.tail()


@pytest.fixture(scope="session", autouse=True)
def _state_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Servers that tests start keep their generations in a folder of the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    """Processes that tests start compute with one thread: two would wait for each other while other tests run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        yield


@pytest.fixture
def play_teacher() -> Iterator[Callable[[Play], PlayedTeacher]]:
    """Start teachers that answer as told; they stop with the test."""
    playing: list[PlayedTeacher] = []

    def start(play: Play) -> PlayedTeacher:
        playing.append(PlayedTeacher(play))
        return playing[-1]

    yield start
    for teacher in playing:
        teacher.stop()


@pytest.fixture
def new_port() -> int:
    """A port of this machine that nobody listens on."""
    return free_port()


@pytest.fixture
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """One that a test may stop and start."""
    server = RedisServer(free_port(), tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def collector() -> Iterator[Collector]:
    """A collector of spans that listens."""
    with Collector() as listening:
        yield listening
