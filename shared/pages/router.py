"""The router of a service's pages: sign-in, scopes, and errors that people can read."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from litestar import Response, Router
from litestar.exceptions import HTTPException, NotFoundException, ValidationException
from litestar.handlers import BaseRouteHandler
from pydantic import ValidationError

from shared import telemetry
from shared.artifacts import ArtifactStoreAway
from shared.pages.reader import AnyRequest
from shared.pages.rendering import Pages, is_fragment
from shared.security import NotAllowed, NotAuthenticated, Scope
from shared.sessions import SessionsUnreachable
from shared.store import CursorError, StoreUnreachable
from shared.web import AnyConnection, NotFound, Unavailable, authenticate

SIGN_IN = "/console/sign-in"
_AGAIN_S = 8
_log = telemetry.logger(__name__)


def pages_router(
    path: str,
    handlers: Sequence[Any],
    pages: Pages,
    scopes: Sequence[Scope] = (),
    like: Mapping[type[Exception], type[Exception]] | None = None,
) -> Router:
    """Pages for people who are signed in and have one of the scopes; without scopes, for everybody signed in.

    `like` names a service's own errors that are shown as one of `error_pages` is.
    """
    known = error_pages(pages)
    return Router(
        path,
        route_handlers=list(handlers),
        guards=[signed_in(scopes)],
        exception_handlers=known | {error: known[other] for error, other in (like or {}).items()},
        include_in_schema=False,
    )


def error_pages(pages: Pages) -> dict[Any, Any]:
    """Exception handlers for pages: a page, or for htmx a box in the place of the fragment.

    They name every error that the application answers with JSON: of two handlers the one of the nearer class is called.
    """
    shown = _ErrorPages(pages)
    return {
        NotAuthenticated: shown.not_authenticated,
        NotAllowed: shown.not_allowed,
        NotFound: shown.not_found,
        Unavailable: shown.unavailable,
        SessionsUnreachable: shown.unavailable,
        **dict.fromkeys(StoreUnreachable, shown.unavailable),
        ArtifactStoreAway: shown.artifacts_away,
        CursorError: shown.bad_cursor,
        ValidationException: shown.bad_parameter,
        ValidationError: shown.bad_content,
        NotFoundException: shown.no_page,
        HTTPException: shown.http_error,
        Exception: shown.unexpected,
    }


@dataclass(frozen=True)
class _ErrorPages:
    pages: Pages

    def not_authenticated(self, request: AnyRequest, _error: Exception) -> Response[Any]:
        here = quote(_address(request))
        if is_fragment(request):
            return self._show(request, 401, "session", "", link=SIGN_IN)
        if request.method not in ("GET", "HEAD"):
            # The sign-in could lead back to no page, and what was typed would be lost.
            return self._show(request, 401, "resend", "", link=SIGN_IN)
        return Response(
            b"", status_code=303, headers={"location": f"{SIGN_IN}?next={here}", "cache-control": "no-store"}
        )

    def not_allowed(self, request: AnyRequest, error: Exception) -> Response[Any]:
        return self._show(request, 403, "forbidden", str(error))

    def not_found(self, request: AnyRequest, error: Exception) -> Response[Any]:
        return self._show(request, 404, "missing", str(error))

    def unavailable(self, request: AnyRequest, error: Exception) -> Response[Any]:
        return self._show(request, 503, "away", str(error), again_url=_address(request))

    def artifacts_away(self, request: AnyRequest, error: Exception) -> Response[Any]:
        # Where the store is concerns the operator alone.
        _log.warning("artifacts cannot be reached", error=str(error))
        return self.unavailable(request, Unavailable("the artifact store cannot be reached"))

    def bad_cursor(self, request: AnyRequest, error: CursorError) -> Response[Any]:
        return self._show(request, 400, "refused", str(error))

    def bad_parameter(self, request: AnyRequest, error: ValidationException) -> Response[Any]:
        found: Any = error.extra if isinstance(error.extra, list) else []
        words = "; ".join(f"{each['key']}: {each['message']}" for each in found)
        return self._show(request, 400, "refused", words or error.detail)

    def bad_content(self, request: AnyRequest, error: ValidationError) -> Response[Any]:
        words = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
        return self._show(request, 400, "refused", words)

    def no_page(self, request: AnyRequest, _error: NotFoundException) -> Response[Any]:
        return self._show(request, 404, "missing", "there is no page at this address")

    def http_error(self, request: AnyRequest, error: HTTPException) -> Response[Any]:
        return self._show(request, error.status_code, "refused", error.detail)

    def unexpected(self, request: AnyRequest, error: Exception) -> Response[Any]:
        _log.error("unexpected", exc_info=error)
        return self._show(request, 500, "failed", "")

    def _show(
        self, request: AnyRequest, status: int, what: str, words: str, *, link: str = "/console/", again_url: str = ""
    ) -> Response[Any]:
        values = {"what": what, "words": words, "link": link, "again_url": again_url, "again_s": _AGAIN_S}
        if is_fragment(request):
            return self.pages.fragment(request, "error_box.html.j2", status=status, **values)
        return self.pages.page(request, "error.html.j2", status=status, **values)


def _address(request: AnyRequest) -> str:
    """Path and query as the browser sent them; Litestar shortens the path of a mounted application."""
    path, query = request.scope["raw_path"].decode("latin-1"), request.scope["query_string"].decode("latin-1")
    return f"{path}?{query}" if query else path


def signed_in(scopes: Sequence[Scope] = ()) -> Callable[[AnyConnection, BaseRouteHandler], Awaitable[None]]:
    """A guard that demands a session or a key; with scopes, one of them. The key is then in `connection.state.key`."""

    async def guard(connection: AnyConnection, _handler: BaseRouteHandler) -> None:
        connection.state.key = key = await authenticate(connection)
        if scopes and not any(key.allows(scope) for scope in scopes):
            raise NotAllowed(f"this page needs the scope {' or '.join(map(repr, scopes))}; ask an administrator for it")

    return guard
