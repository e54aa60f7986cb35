"""Errors a client sees, in OpenAI's shape ``{"error": {message, type, param, code}}``.

    ApiError
    |-- InvalidRequest      400  the request cannot be served as it is
    |-- UnknownResource     404  no such model, route or generation
    |-- RequestTooLarge     413
    |-- NotReady            503  still loading, or draining
    `-- EngineUnavailable   503  the engine died; the process is about to end

Every message says what was given, what the limit is, and what to do. Nothing of the program's inside
(paths, stack traces, types) reaches a client.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from steiner.server.refusals import refusal

REASONS = {400: "invalid_value", 404: "not_found", 413: "too_large", 503: "not_ready"}


class ApiError(Exception):
    """An answer with an error status."""

    status = 500
    type = "server_error"

    def __init__(self, message: str, *, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.code = code

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


class UnknownResource(ApiError):
    """There is nothing under this name, or not for this caller."""

    status = 404
    type = "invalid_request_error"


class RequestTooLarge(ApiError):
    """The body is longer than the server reads."""

    status = 413
    type = "invalid_request_error"


class NotReady(ApiError):
    """The server does not take new generations at the moment."""

    status = 503
    type = "server_error"


class EngineUnavailable(NotReady):
    """The engine is gone; only a restart brings it back."""


def install_error_handlers(
    app: FastAPI, count_refusal: Callable[[str], None], known_fields: Collection[str]
) -> None:
    """Answer every error of the app in OpenAI's shape.

    Args:
        app: whose handlers are set.
        known_fields: of request bodies, to suggest for a misspelled one.
        count_refusal: called with the reason, one of a fixed few words, for each error answered.
    """

    def answer(error: ApiError) -> JSONResponse:
        count_refusal(error.code or REASONS.get(error.status, "error"))
        return JSONResponse(error.body(), status_code=error.status)

    async def on_api_error(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, ApiError)
        return answer(error)

    async def on_validation_error(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        message, param = refusal(error.errors(), known_fields)
        return answer(InvalidRequest(message, param=param, code="invalid_value"))

    async def on_http_error(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        match error.status_code:
            case 404:
                return answer(
                    UnknownResource(f"no route {request.method} {request.url.path}", code="unknown_route")
                )
            case 413:
                return answer(RequestTooLarge(str(error.detail), code="too_large"))
            case 405:
                refused = InvalidRequest(
                    f"{request.method} is not served on {request.url.path}", code="method_not_allowed"
                )
                refused.status = 405
                return answer(refused)
            case _:
                return answer(InvalidRequest(str(error.detail), code="invalid_value"))

    async def on_failure(_: Request, error: Exception) -> JSONResponse:
        return answer(ApiError("internal error; the server's log has it", code="internal_error"))

    app.add_exception_handler(ApiError, on_api_error)
    app.add_exception_handler(RequestValidationError, on_validation_error)
    app.add_exception_handler(HTTPException, on_http_error)
    app.add_exception_handler(Exception, on_failure)
