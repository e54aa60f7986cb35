"""Errors a client sees, in OpenAI's shape ``{"error": {message, type, param, code}}``.

    ApiError
    |-- InvalidRequest      400  the request cannot be served as it is
    |-- InvalidKey          401  no key, or none of this server's
    |-- UnknownResource     404  no such model, route or generation
    |-- Gone                410  there was one, and the server no longer keeps it
    |-- RequestTooLate      408
    |-- RequestTooLarge     413
    |-- EncodedBody         415  the body is compressed
    |-- RateLimited         429  the caller's limits are used up, or the queue is full
    |-- NotReady            503  still loading, or draining
    `-- EngineUnavailable   503  the engine died; the process is about to end

Every message says what was given, what the limit is, and what to do. Nothing of the program's internals
(paths, stack traces, types) reaches a client.
"""

from __future__ import annotations

from typing import Any

# The reasons that are counted: a fixed set, because every value is a time series.
REASONS = frozenset(
    {
        "cancelled",
        "concurrency",
        "context_length_exceeded",
        "draining",
        "engine_dead",
        "engine_error",
        "events_gone",
        "events_lost",
        "generation_gone",
        "generation_not_found",
        "internal_error",
        "interrupted",
        "invalid_api_key",
        "invalid_encrypted_content",
        "invalid_value",
        "item_not_found",
        "loading",
        "method_not_allowed",
        "model_not_found",
        "not_in_background",
        "not_stopped",
        "other",
        "previous_response_not_completed",
        "previous_response_not_found",
        "queue_full",
        "queue_timeout",
        "request_timeout",
        "requests_per_minute",
        "response_not_found",
        "store_unavailable",
        "timeout",
        "tokens_per_minute",
        "too_large",
        "unknown_route",
        "unsupported_encoding",
    }
)


class ApiError(Exception):
    """An answer with an error status."""

    status = 500
    type = "server_error"

    def __init__(self, message: str, *, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.code = code
        self.headers: dict[str, str] = {}

    @property
    def reason(self) -> str:
        """The reason that it is counted under; one of `REASONS`."""
        return self.code if self.code in REASONS else "other"

    def body(self) -> dict[str, Any]:
        """JSON body of the answer."""
        # A caller may have written half a character, which no JSON text can carry.
        message, param = (
            text and text.encode(errors="backslashreplace").decode() for text in (self.message, self.param)
        )
        return {"error": {"message": message, "type": self.type, "param": param, "code": self.code}}


class InvalidRequest(ApiError):
    """The request is refused; `param` names the field."""

    status = 400
    type = "invalid_request_error"


class InvalidKey(ApiError):
    """The caller is unknown (RFC 6750, section 3)."""

    status = 401
    type = "invalid_request_error"

    def __init__(self, message: str) -> None:
        super().__init__(message, code="invalid_api_key")
        self.headers["WWW-Authenticate"] = "Bearer"


class UnknownResource(ApiError):
    """Nothing has this name, or this caller may not see it."""

    status = 404
    type = "invalid_request_error"


class Gone(ApiError):
    """What was asked for is no longer kept."""

    status = 410
    type = "invalid_request_error"


class RequestTooLate(ApiError):
    """The client takes too long to send its request."""

    status = 408
    type = "invalid_request_error"


class RequestTooLarge(ApiError):
    """The body is longer than the server reads."""

    status = 413
    type = "invalid_request_error"


class EncodedBody(ApiError):
    """The body is compressed, so its real length would only show when it is read."""

    status = 415
    type = "invalid_request_error"


class RateLimited(ApiError):
    """Too much at the moment (RFC 6585, section 4); `Retry-After` says when to come back.

    Args:
        kind: OpenAI's word for the limit, `requests` or `tokens`; `server_error` if the limit is not the caller's.
        reason: what it is counted under.
        retry_after_s: whole seconds. Use another error if no wait would help, because clients retry a 429.
    """

    status = 429

    def __init__(
        self,
        message: str,
        *,
        kind: str,
        reason: str,
        retry_after_s: int,
        code: str = "rate_limit_exceeded",
    ) -> None:
        super().__init__(message, code=code)
        self.type = kind
        self._reason = reason
        self.headers["Retry-After"] = str(retry_after_s)

    @property
    def reason(self) -> str:
        """The limit that was met."""
        return self._reason


class NotReady(ApiError):
    """The server is not taking new generations right now."""

    status = 503
    type = "server_error"


class EngineUnavailable(NotReady):
    """The engine is gone; only a restart brings it back."""
