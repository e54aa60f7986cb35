"""Who is asking: the key in `Authorization: Bearer`, checked before the request's body is read.

Only this header counts, OpenAI's. A key has one way in, and so only one place where it must not be logged.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from steiner.server.access.keys import ANONYMOUS, Caller, KeyRing
from steiner.server.errors import InvalidKey
from steiner.server.http.error_handlers import error_answer
from steiner.server.http.request_context import current_request, path_below_root

DOCUMENTATION = {"/openapi.json", "/docs", "/docs/swagger-ui-bundle.js", "/docs/swagger-ui.css"}
OPEN_PATHS = frozenset({"/health", "/ready", "/view"} | DOCUMENTATION)


class Authentication:
    """ASGI middleware that puts the caller into `request.state.caller`, or answers 401.

    Args:
        app: what it guards.
        keys: the deployment's; without any, everyone is `anonymous`.
        open_paths: answered without a key.
        open_folders: the same for all paths below them.
        count_refusal: called with the reason of each 401.
    """

    def __init__(
        self,
        app: ASGIApp,
        keys: KeyRing,
        open_paths: Collection[str],
        count_refusal: Callable[[str], None],
        open_folders: Collection[str] = (),
    ) -> None:
        self._app = app
        self._keys = keys
        self._open_paths = frozenset(open_paths)
        self._open_prefixes = tuple(f"{folder}/" for folder in open_folders)
        self._count_refusal = count_refusal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request if its caller is known, or anyone may ask."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        caller: Caller | InvalidKey = ANONYMOUS
        if self._keys and not self._is_open(path_below_root(scope)):
            caller = self._identify(Headers(scope=scope))
        if isinstance(caller, InvalidKey):
            await error_answer(caller, self._count_refusal)(scope, receive, send)
            return
        scope.setdefault("state", {})["caller"] = caller
        current_request().caller = caller.name
        await self._app(scope, receive, send)

    def _is_open(self, path: str) -> bool:
        return path in self._open_paths or path.startswith(self._open_prefixes)

    def _identify(self, headers: Headers) -> Caller | InvalidKey:
        given = headers.getlist("authorization")
        if not given:
            return InvalidKey("no API key was given; send it in the header `Authorization: Bearer KEY`")
        scheme, _, key = given[0].strip().partition(" ")
        if len(given) > 1 or scheme.lower() != "bearer" or not key.strip():
            return InvalidKey("the Authorization header must be one `Bearer KEY`")
        return self._keys.caller_of(key.strip()) or InvalidKey(
            "the API key is not one of this server's; ask its operator for one"
        )
