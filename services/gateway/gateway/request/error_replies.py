"""The one place that turns errors, the framework's own included, into replies of the documented JSON shape."""

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response

from gateway.errors import ClientGone, GatewayError, InvalidParameter, error_body
from gateway.request.context import RequestContext


def error_response(error: GatewayError) -> JSONResponse:
    """The reply for ``error``, with Retry-After where waiting helps."""
    headers = {}
    if error.retry_after_s:
        headers["Retry-After"] = str(error.retry_after_s)
    if error.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"  # required by RFC 9110
    return JSONResponse({"error": error_body(error)}, status_code=error.status, headers=headers)


def install_error_handlers(app: FastAPI) -> None:
    """Give every error of ``app`` that reply, and note its code in the request's context."""
    app.add_exception_handler(GatewayError, _gateway_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(ClientDisconnect, _client_gone)


async def _gateway_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, GatewayError)
    RequestContext.of(request.scope).error_code = error.code
    return error_response(error)


async def _validation_error(request: Request, error: Exception) -> Response:
    """FastAPI's own validation, reworded: which parameter, what was sent, what was expected."""
    assert isinstance(error, RequestValidationError)
    problems: list[dict[str, Any]] = [
        {"parameter": str(problem["loc"][-1]), "problem": problem["msg"], "input": str(problem.get("input"))[:200]}
        for problem in error.errors()
    ]
    first = problems[0]
    message = f"{first['parameter']}={first['input']}: {first['problem']}"
    return await _gateway_error(request, InvalidParameter(message, problems=problems))


async def _http_error(request: Request, error: Exception) -> Response:
    """404 and 405 of the router itself."""
    assert isinstance(error, HTTPException)
    code = HTTPStatus(error.status_code).name.lower()
    RequestContext.of(request.scope).error_code = code
    message = f"{request.method} {request.url.path}: {error.detail}; /docs lists every path"
    body = {"error": {"code": code, "message": message, "detail": {}}}
    return JSONResponse(body, status_code=error.status_code, headers=dict(error.headers or {}))


async def _client_gone(request: Request, _: Exception) -> Response:
    """A reply that no client reads; it keeps a disconnect from being logged as an error of the gateway."""
    return await _gateway_error(request, ClientGone("the connection closed before there was an answer"))
