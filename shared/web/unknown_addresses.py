"""What is answered at addresses without a route: below `/console/` a page, elsewhere JSON."""

from collections.abc import Callable, Mapping
from typing import Any

from litestar import Request, Response
from litestar.exceptions import HTTPException, MethodNotAllowedException, NotFoundException

from shared.web.problem_details import problem

_Handler = Callable[[Request[Any, Any, Any], Any], Response[Any]]


def unknown_addresses(handlers: Mapping[Any, Any], page_errors: Mapping[Any, Any]) -> dict[Any, Any]:
    """`handlers`; below `/console/`, 404 and 405 are pages."""
    if not page_errors:
        return dict(handlers)
    others = handlers.get(HTTPException, _problem)
    kinds = (NotFoundException, MethodNotAllowedException)
    return {**handlers, **{kind: _by_path(page_errors.get(kind, page_errors[HTTPException]), others) for kind in kinds}}


def _by_path(pages: _Handler, others: _Handler) -> _Handler:
    def answer(request: Request[Any, Any, Any], error: HTTPException) -> Response[Any]:
        handler = pages if request.url.path.startswith("/console/") else others
        return handler(request, error)

    return answer


def _problem(_request: Request[Any, Any, Any], error: HTTPException) -> Response[Any]:
    return problem(error.status_code, type(error).__name__, error.detail, error.headers)
