"""Every error of the application, answered in OpenAI's shape and counted."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.routing import Match, Route

from steiner.server.errors import (
    ApiError,
    EncodedBody,
    InvalidRequest,
    RequestTooLarge,
    RequestTooLate,
    UnknownResource,
)
from steiner.server.http.refusals import refusal
from steiner.server.http.request_context import current_request


def error_answer(error: ApiError, count_refusal: Callable[[str], None]) -> JSONResponse:
    """The answer for an error, which is counted under its reason."""
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
    """The model of the body of the request's route, or of its query."""
    route = request.scope.get("route")
    if not isinstance(route, APIRoute):
        return None
    fields = [route.body_field] if source == "body" else route.dependant.query_params
    annotations = [field.field_info.annotation for field in fields if field is not None]
    return next((one for one in annotations if isinstance(one, type) and issubclass(one, BaseModel)), None)


def _unreadable(error: HTTPException) -> str:
    """Why a body could not be read at all. FastAPI gives a reason only for broken JSON."""
    match error.__cause__:
        case UnicodeDecodeError() as cause:
            return f"the body is not valid JSON: it is not {cause.encoding} text at byte {cause.start}"
        case RecursionError():
            return "the body is nested too deep; flatten it"
        case ValueError() as cause:
            return f"the body cannot be read: {cause}"
        case _:
            return str(error.detail)


def _refusal_of(error: HTTPException, app: FastAPI, request: Request) -> ApiError:
    """An error of Starlette's as one of the API."""
    match error.status_code:
        case 404:
            return UnknownResource(f"no route {request.method} {request.url.path}", code="unknown_route")
        case 405:
            refused = InvalidRequest(
                f"{request.method} is not served on {request.url.path}", code="method_not_allowed"
            )
            refused.status = 405
            refused.headers["Allow"] = ", ".join(sorted(_methods_of(app, request)))
            return refused
        case 408:
            late = RequestTooLate(str(error.detail), code="request_timeout")
            late.headers |= error.headers or {}
            return late
        case 413:
            return RequestTooLarge(str(error.detail), code="too_large")
        case 415:
            encoded = EncodedBody(str(error.detail), code="unsupported_encoding")
            encoded.headers |= error.headers or {}
            return encoded
        case _:
            return InvalidRequest(_unreadable(error), code="invalid_value")


def install_error_handlers(app: FastAPI, count_refusal: Callable[[str], None]) -> None:
    """Answer every error of the app in OpenAI's shape.

    Args:
        app: whose handlers are set.
        count_refusal: called with the reason, one of a few fixed words, for each error.
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
        return answer(_refusal_of(error, app, request))

    async def on_failure(_: Request, error: Exception) -> JSONResponse:
        failure = ApiError("internal error; the server's log has it", code="internal_error")
        # This answer is made outside the layer that adds the id to every other one.
        failure.headers["x-request-id"] = current_request().id
        return answer(failure)

    app.add_exception_handler(ApiError, on_api_error)
    app.add_exception_handler(RequestValidationError, on_validation_error)
    app.add_exception_handler(HTTPException, on_http_error)
    app.add_exception_handler(Exception, on_failure)
