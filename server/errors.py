"""Errors a client sees, in OpenAI's shape ``{"error": {message, type, param, code}}``.

    ApiError
    |-- InvalidRequest      400  the request cannot be served as it is
    |-- InvalidKey          401  no key, or none of this server's
    |-- UnknownResource     404  no such model, route or generation
    |-- Gone                410  there was one, and the server has let it go
    |-- RequestTooLate      408
    |-- RequestTooLarge     413
    |-- EncodedBody         415  the body is compressed
    |-- RateLimited         429  the caller's limits are used up, or the queue is full
    |-- NotReady            503  still loading, or draining
    `-- EngineUnavailable   503  the engine died; the process is about to end

Every message says what was given, what the limit is, and what to do. Nothing of the program's inside
(paths, stack traces, types) reaches a client.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.routing import Match, Route

from steiner.server.refusals import refusal
from steiner.server.request_context import current_request

# What a code may be counted as: a fixed set, because every value is a time series of its own.
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
        """What it is counted as; one of `REASONS`."""
        return self.code if self.code in REASONS else "other"

    def body(self) -> dict[str, Any]:
        """JSON body of the answer."""
        # What a caller wrote may be half a character, which no JSON text can carry.
        message, param = (
            text and text.encode(errors="backslashreplace").decode() for text in (self.message, self.param)
        )
        return {"error": {"message": message, "type": self.type, "param": param, "code": self.code}}


class InvalidRequest(ApiError):
    """The request is refused; `param` names the field."""

    status = 400
    type = "invalid_request_error"


class InvalidKey(ApiError):
    """Nobody known asks (RFC 6750, section 3)."""

    status = 401
    type = "invalid_request_error"

    def __init__(self, message: str) -> None:
        super().__init__(message, code="invalid_api_key")
        self.headers["WWW-Authenticate"] = "Bearer"


class UnknownResource(ApiError):
    """There is nothing under this name, or not for this caller."""

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
    """The body is compressed, and would have to be read to be refused for its length."""

    status = 415
    type = "invalid_request_error"


class RateLimited(ApiError):
    """Too much at the moment (RFC 6585, section 4); `Retry-After` says when to come back.

    Args:
        kind: OpenAI's word for the limit, `requests` or `tokens`; `server_error` where it is not the caller's.
        reason: what it is counted as.
        retry_after_s: whole seconds. What no wait would help is no `RateLimited`: clients send a 429 again.
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
    """The server does not take new generations at the moment."""

    status = 503
    type = "server_error"


class EngineUnavailable(NotReady):
    """The engine is gone; only a restart brings it back."""


def error_answer(error: ApiError, count_refusal: Callable[[str], None]) -> JSONResponse:
    """The answer that an error means, counted under its reason."""
    count_refusal(error.reason)
    return JSONResponse(error.body(), status_code=error.status, headers=error.headers)


def _methods_of(app: FastAPI, request: Request) -> set[str]:
    """Methods that are served on the request's path."""
    routes = [route for route in app.routes if isinstance(route, Route)]
    methods = {
        method
        for route in routes
        if route.matches(request.scope)[0] is not Match.NONE
        for method in route.methods or ()
    }
    return methods | {"HEAD"} if "GET" in methods else methods


def _model_of(request: Request, source: object) -> type[BaseModel] | None:
    """What the request's route takes as its body, or as its query."""
    route = request.scope.get("route")
    if not isinstance(route, APIRoute):
        return None
    fields = [route.body_field] if source == "body" else route.dependant.query_params
    annotations = [field.field_info.annotation for field in fields if field is not None]
    return next((one for one in annotations if isinstance(one, type) and issubclass(one, BaseModel)), None)


def _unreadable(error: HTTPException) -> str:
    """Why a body could not be read at all; FastAPI says it of JSON only."""
    match error.__cause__:
        case UnicodeDecodeError() as cause:
            return f"the body is not valid JSON: it is no {cause.encoding} text at byte {cause.start}"
        case RecursionError():
            return "the body is nested too deep; flatten it"
        case ValueError() as cause:
            return f"the body cannot be read: {cause}"
        case _:
            return str(error.detail)


def install_error_handlers(app: FastAPI, count_refusal: Callable[[str], None]) -> None:
    """Answer every error of the app in OpenAI's shape.

    Args:
        app: whose handlers are set.
        count_refusal: called with the reason, one of a fixed few words, for each error answered.
    """

    def answer(error: ApiError) -> JSONResponse:
        return error_answer(error, count_refusal)

    async def on_api_error(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, ApiError)
        return answer(error)

    async def on_validation_error(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        errors = error.errors()
        message, param = refusal(errors, _model_of(request, errors[0]["loc"][0]), error.body)
        return answer(InvalidRequest(message, param=param, code="invalid_value"))

    async def on_http_error(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        match error.status_code:
            case 404:
                return answer(
                    UnknownResource(f"no route {request.method} {request.url.path}", code="unknown_route")
                )
            case 408:
                late = RequestTooLate(str(error.detail), code="request_timeout")
                late.headers |= error.headers or {}
                return answer(late)
            case 413:
                return answer(RequestTooLarge(str(error.detail), code="too_large"))
            case 415:
                encoded = EncodedBody(str(error.detail), code="unsupported_encoding")
                encoded.headers |= error.headers or {}
                return answer(encoded)
            case 405:
                refused = InvalidRequest(
                    f"{request.method} is not served on {request.url.path}", code="method_not_allowed"
                )
                refused.status = 405
                refused.headers["Allow"] = ", ".join(sorted(_methods_of(app, request)))
                return answer(refused)
            case _:
                return answer(InvalidRequest(_unreadable(error), code="invalid_value"))

    async def on_failure(_: Request, error: Exception) -> JSONResponse:
        failure = ApiError("internal error; the server's log has it", code="internal_error")
        # Answered outside of the layer that adds the id to every other answer.
        failure.headers["x-request-id"] = current_request().id
        return answer(failure)

    app.add_exception_handler(ApiError, on_api_error)
    app.add_exception_handler(RequestValidationError, on_validation_error)
    app.add_exception_handler(HTTPException, on_http_error)
    app.add_exception_handler(Exception, on_failure)
