"""The request that the running code serves: its id, its arrival, its caller, what it has used.

It is a context variable, so a generation's task, and each of its log lines, knows the request that it came from.
"""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from steiner.reasoning.events import Event
from steiner.reasoning.progress import Progress

# Short, printable, and without characters that mean something in a log or a header.
SANE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/+=@-]{0,127}")


@dataclass(frozen=True, slots=True)
class Account:
    """The tokens of one generation.

    Attributes:
        spend: called with all completion tokens so far, and whether there will be no more.
    """

    generation_id: str
    num_prompt_tokens: int
    progress: Progress
    spend: Callable[[int, bool], None]

    @property
    def num_completion_tokens(self) -> int:
        """Reasoning and answer so far."""
        return self.progress.num_tokens

    def observe(self, events: Sequence[Event]) -> None:
        """Count the tokens of a batch of events."""
        self.spend(self.progress.num_tokens, events[-1].type in ("done", "error", "cancelled"))


@dataclass(slots=True)
class RequestContext:
    """One HTTP request.

    Attributes:
        id: the client's X-Request-Id if that is usable, else one of our own.
        arrived_s: monotonic time of its first byte in the application.
        caller: who is asking; "-" before that is known.
        trace_headers: W3C trace context to hand to the engine.
        response_headers: to be added to the answer.
        accounts: of the generations it started.
    """

    id: str
    arrived_s: float = field(default_factory=time.monotonic)
    caller: str = "-"
    trace_headers: Mapping[str, str] = field(default_factory=dict)
    response_headers: dict[str, str] = field(default_factory=dict)
    accounts: list[Account] = field(default_factory=list)


_CURRENT: ContextVar[RequestContext | None] = ContextVar("steiner_request", default=None)


def enter_request(context: RequestContext) -> None:
    """This task, and those it starts, serve this request."""
    _CURRENT.set(context)


def current_request() -> RequestContext:
    """The request being served; outside any request, an empty one that nobody reads."""
    return _CURRENT.get() or RequestContext(id="-")


def request_id_of(given: str | None) -> str:
    """The client's id, if it is fit for logs and headers; else a new one."""
    if given is not None and SANE_ID.fullmatch(given):
        return given
    return f"req_{uuid.uuid4().hex}"


def path_below_root(scope: Mapping[str, Any]) -> str:
    """The path of an ASGI scope as routes know it, whether or not a proxy left its prefix on."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", ""))
