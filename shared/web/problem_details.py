"""Errors as RFC 9457 problem details, by Litestar's plugin."""

from collections.abc import Callable, Container
from typing import Any, cast

from litestar import Response
from litestar.exceptions import HTTPException, ValidationException
from litestar.plugins.problem_details import ProblemDetailsConfig, ProblemDetailsException, ProblemDetailsPlugin
from pydantic import ValidationError

from shared import telemetry
from shared.artifacts import ArtifactStoreAway
from shared.security import NotAllowed, NotAuthenticated
from shared.sessions import SessionsUnreachable
from shared.store import CursorError, StoreUnreachable

RETRY_AFTER_S = "2"
"""When to try again what was refused while a dependency was away."""
_log = telemetry.logger(__name__)


class NotFound(Exception):
    """The resource of a path does not exist; the message says which."""


class Unavailable(Exception):
    """A dependency of this request cannot be reached now; the caller should try again."""


def plugin(handled: Container[Any]) -> ProblemDetailsPlugin:
    """The plugin for all errors but those that the service has `handled` itself."""
    conversions = {error: convert for error, convert in _CONVERSIONS.items() if error not in handled}
    return ProblemDetailsPlugin(ProblemDetailsConfig(exception_to_problem_detail_map=conversions))


def problem(status: int, title: str, detail: str, headers: dict[str, str] | None = None, **extra: Any) -> Response[Any]:
    """A response with problem details, for the exception handlers of services."""
    # The plugin's exception builds its response without looking at the request.
    return _problem(status, title, detail, headers, **extra).to_response(cast(Any, None))


def _problem(
    status: int, title: str, detail: str, headers: dict[str, str] | None = None, **extra: Any
) -> ProblemDetailsException:
    return ProblemDetailsException(
        status_code=status, type_="about:blank", title=title, detail=detail, headers=headers, extra=extra
    )


def _not_authenticated(error: NotAuthenticated) -> ProblemDetailsException:
    return _problem(401, "Not authenticated", str(error), {"WWW-Authenticate": "Bearer"})


def _not_allowed(error: NotAllowed) -> ProblemDetailsException:
    return _problem(403, "Not allowed", str(error))


def _not_found(error: NotFound) -> ProblemDetailsException:
    return _problem(404, "Not found", str(error))


def _unavailable(error: Exception) -> ProblemDetailsException:
    return _problem(503, "Unavailable", f"try again: {error}", {"Retry-After": RETRY_AFTER_S})


def _artifacts_away(error: ArtifactStoreAway) -> ProblemDetailsException:
    # Where the store is concerns the operator alone.
    _log.warning("artifacts cannot be reached", error=str(error))
    return _unavailable(Unavailable("the artifact store cannot be reached"))


def _bad_request(error: ValidationException) -> ProblemDetailsException:
    return _problem(400, "Bad request", error.detail, errors=error.extra)


def _bad_cursor(error: CursorError) -> ProblemDetailsException:
    return _problem(400, "Bad request", str(error), errors=[{"field": error.param, "reason": str(error)}])


def _bad_content(error: ValidationError) -> ProblemDetailsException:
    found = [{"field": ".".join(map(str, e["loc"])), "reason": e["msg"]} for e in error.errors()]
    return _problem(400, "Bad request", "the request's content is not valid", errors=found)


def _http_error(error: HTTPException) -> ProblemDetailsException:
    return _problem(error.status_code, type(error).__name__, error.detail, error.headers)


def _unexpected(error: Exception) -> ProblemDetailsException:
    _log.error("unexpected", exc_info=error)
    return _problem(500, "Internal error", "unexpected error in the server; find it in the log by the x-request-id")


_CONVERSIONS: dict[type[Exception], Callable[[Any], ProblemDetailsException]] = {
    NotAuthenticated: _not_authenticated,
    NotAllowed: _not_allowed,
    NotFound: _not_found,
    Unavailable: _unavailable,
    SessionsUnreachable: _unavailable,
    **dict.fromkeys(StoreUnreachable, _unavailable),
    ArtifactStoreAway: _artifacts_away,
    CursorError: _bad_cursor,
    ValidationException: _bad_request,
    ValidationError: _bad_content,
    HTTPException: _http_error,
    Exception: _unexpected,
}
