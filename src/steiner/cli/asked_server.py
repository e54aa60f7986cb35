"""Which server a question goes to, and the wait until it is ready. The user sees what the wait is for."""

import contextlib
import time
from collections.abc import Iterator
from importlib.util import find_spec

import httpx
from rich.console import Console

from steiner.cli.local_server import LocalServer, free_port, serve_command
from steiner.cli.shipped import find_model
from steiner.reasoning.errors import SteinerError

DEFAULT_URL = "http://127.0.0.1:8000"
"""The default address of `steiner serve`."""
POLL_S = 0.2
PROBE_TIMEOUT_S = 2.0


class NoServerError(SteinerError):
    """No server runs, and none can be started here."""


@contextlib.contextmanager
def asked_server(url: str | None, console: Console) -> Iterator[str]:
    """Address of a server that is ready: the named one, else the one on this machine, else one that is started here.

    A server that is started here serves the shipped weights and ends with the `with` block.

    Args:
        console: gets a line for every wait; it is not where the answer goes.

    Raises:
        NoServerError: none is named, none runs, and vLLM is not installed.
        MissingModelError: the same, without the shipped weights.
        ServerFailedError: the server could not be started here.
    """
    if url is not None or _phase(DEFAULT_URL) is not None:
        address = (url or DEFAULT_URL).rstrip("/")
        _wait_until_loaded(address, console)
        yield address
        return
    if find_spec("vllm") is None:
        raise NoServerError(
            f"no server was named (--url, STEINER_URL), none answers at {DEFAULT_URL}, and none can be started: "
            "vllm is not installed. Install Steiner with the extra `cpu` or `gpu`, or name a server."
        )
    model, port = find_model(None), free_port()
    console.print(
        f"No server was named, and none answers at {DEFAULT_URL}: starting one on {model}.", style="dim"
    )
    with LocalServer(serve_command(model, port), port) as server:
        with console.status("waiting: the server loads its model"):
            server.wait_until_ready()
        yield server.url


def _wait_until_loaded(url: str, console: Console) -> None:
    if _phase(url) != "loading":
        return
    with console.status(f"waiting: the server at {url} loads its model"):
        if not console.is_terminal:
            console.print(f"waiting: the server at {url} loads its model", style="dim")
        while _phase(url) == "loading":
            time.sleep(POLL_S)


def _phase(url: str) -> str | None:
    """The server's own word on its phase; "" if it is not one of ours, None if nothing answers."""
    try:
        answer = httpx.get(f"{url.rstrip('/')}/ready", timeout=PROBE_TIMEOUT_S)
        return str(answer.json()["status"])
    except httpx.TransportError:
        return None
    except (ValueError, KeyError, TypeError):
        return ""
