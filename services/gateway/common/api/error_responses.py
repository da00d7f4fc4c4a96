"""Every error in OpenAI's shape: `{"error": {"message", "type", "param", "code"}}`."""

import json
from http import HTTPStatus
from typing import Any

from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException
from pydantic import ValidationError

from services.gateway.common.domain import errors
from services.gateway.common.domain.errors import ApiError
from services.gateway.common.domain.validation import bad_request
from shared import security, telemetry
from shared.artifacts import ArtifactError, ArtifactStoreAway
from shared.sessions import SessionsUnreachable
from shared.store import CursorError, StoreUnreachable
from shared.web import NotFound, Unavailable
from shared.web.problem_details import RETRY_AFTER_S

_STATUS: dict[type[ApiError], int] = {
    errors.BadRequest: 400,
    errors.TooLarge: 413,
    errors.Missing: 404,
    errors.NotPermitted: 403,
    errors.Conflict: 409,
    errors.Busy: 429,
    errors.RateLimited: 429,
    errors.NoReplica: 503,
}
_TYPES = {401: "authentication_error", 403: "permission_error", 404: "not_found_error", 429: "rate_limit_error"}
_log = telemetry.logger(__name__)


def error_body(status: int, message: str, param: str | None = None, code: str | None = None) -> dict[str, Any]:
    """The body of an error of that HTTP status."""
    kind = "server_error" if status >= 500 else _TYPES.get(status, "invalid_request_error")
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def answer(status: int, message: str, param: str | None = None, code: str | None = None) -> Response[Any]:
    """An error of that HTTP status."""
    headers = {"Retry-After": RETRY_AFTER_S} if status in (429, 503) else {}
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return Response(error_body(status, message, param, code), status_code=status, headers=headers)


def _api_error(_request: Request[Any, Any, Any], error: ApiError) -> Response[Any]:
    status = error.status if isinstance(error, errors.EngineRefused) else _STATUS[type(error)]
    response = answer(status, error.message, error.param, error.code)
    response.headers.update(error.headers)
    return response


def _bad_cursor(_request: Request[Any, Any, Any], error: CursorError) -> Response[Any]:
    return answer(400, str(error), param=error.param)


def _not_authenticated(_request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    return answer(401, f"Incorrect API key: {error}.", code="invalid_api_key")


def _not_allowed(_request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    return answer(403, f"Permission denied: {error}.", code="insufficient_permissions")


def _not_found(_request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    return answer(404, str(error))


def _unavailable(_request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    return answer(503, f"Try again shortly: {error}", code="service_unavailable")


def _artifacts_away(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    # Where the store is concerns the operator alone.
    _log.warning("artifacts cannot be reached", error=str(error))
    return _unavailable(request, Unavailable("the artifact store cannot be reached"))


def _bad_parameter(_request: Request[Any, Any, Any], error: ValidationException) -> Response[Any]:
    extra: Any = error.extra
    first = extra[0] if isinstance(extra, list) and extra else {}
    return answer(400, str(first.get("message") or error.detail), param=first.get("key"), code="invalid_value")


def _bad_content(request: Request[Any, Any, Any], error: ValidationError) -> Response[Any]:
    return _api_error(request, bad_request(error))


def _http_error(request: Request[Any, Any, Any], error: HTTPException) -> Response[Any]:
    status = error.status_code
    if status == 404:
        return answer(404, f"Invalid URL ({request.method} {request.url.path})", code="unknown_url")
    if status == 405:
        return answer(405, f"Method not allowed ({request.method} {request.url.path})", code="method_not_supported")
    if status == 413:
        return answer(413, "The request's body is too large.", code="request_too_large")
    return answer(status, error.detail or HTTPStatus(status).phrase)


def _unexpected(_request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    _log.error("unexpected", exc_info=error)
    message = "Internal error. The gateway's log has the details; search it for this answer's x-request-id."
    return answer(500, message, code="internal_error")


def encoded(error: Exception) -> tuple[int, bytes, list[tuple[bytes, bytes]]]:
    """Status, body and headers of an error, for answers that are sent without the framework's router."""
    # Only 404 and 405 look at the request, and those are the router's own.
    handler = next(HANDLERS[kind] for kind in type(error).__mro__ if kind in HANDLERS)
    made: Response[Any] = handler(None, error)
    headers = [(name.lower().encode(), value.encode()) for name, value in made.headers.items()]
    return made.status_code or 500, json.dumps(made.content).encode(), headers


HANDLERS: dict[Any, Any] = {
    ApiError: _api_error,
    CursorError: _bad_cursor,
    security.NotAuthenticated: _not_authenticated,
    security.NotAllowed: _not_allowed,
    NotFound: _not_found,
    Unavailable: _unavailable,
    SessionsUnreachable: _unavailable,
    ArtifactError: _unexpected,
    ArtifactStoreAway: _artifacts_away,
    **dict.fromkeys(StoreUnreachable, _unavailable),
    ValidationException: _bad_parameter,
    ValidationError: _bad_content,
    HTTPException: _http_error,
    Exception: _unexpected,
}
