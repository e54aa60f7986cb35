"""OpenAI's own Python client on a server under test, closed when the test ends.

Left to the garbage collector, the client and its sockets are one cycle. A socket that is collected
first warns of itself, in whatever test runs by then.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import openai

_open_clients = ExitStack()


def official_client(server: Any, **options: Any) -> openai.OpenAI:
    """A client of `server` (anything with a `url`) that sends nothing twice unless `options` say so."""
    import openai

    settings: dict[str, Any] = {"api_key": "none", "max_retries": 0, "timeout": 60} | options
    client = openai.OpenAI(base_url=f"{server.url}/v1", **settings)
    _open_clients.callback(client.close)
    return client


def close_official_clients() -> None:
    _open_clients.close()
