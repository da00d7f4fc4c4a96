"""HTTP as every service speaks it: health, readiness, metrics, OpenAPI, keys, problem details, traces."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import uvicorn
from litestar import Litestar, Request, Response, get
from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.di import Provide
from litestar.exceptions import HTTPException, ValidationException
from litestar.handlers import BaseRouteHandler
from litestar.middleware import ASGIMiddleware
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.spec import Components, SecurityScheme
from litestar.plugins.prometheus import PrometheusConfig, PrometheusController
from litestar.plugins.pydantic import PydanticPlugin
from litestar.types import ASGIApp, Receive, Scope, Send
from pydantic import ValidationError

from shared import security, telemetry
from shared.bus import Bus
from shared.keys import SharedKeys
from shared.outbox import Outbox
from shared.security import Keyring
from shared.settings import ServiceSettings
from shared.store import Store, StoreUnreachable

Check = Callable[[], Awaitable[None]]
Lifespan = Callable[[Litestar], AbstractAsyncContextManager[None]]
CHECK_TIMEOUT_S = 3.0
_log = telemetry.logger(__name__)


class NotFound(Exception):
    """What a path names is not there; the message says what was looked for."""


class Unavailable(Exception):
    """Something this request needs cannot be reached now; the caller should come back."""


def build(
    service: str,
    settings: ServiceSettings,
    routes: Sequence[Any],
    *,
    checks: Mapping[str, Check],
    lifespan: Sequence[Lifespan] = (),
    dependencies: Mapping[str, Any],
    exception_handlers: Mapping[Any, Any] | None = None,
    keyring: Keyring | None = None,
    middleware: Sequence[Any] = (),
) -> Litestar:
    """A service's HTTP application with everything that all of them have.

    `checks` are what `/readyz` tests; each raises when its dependency cannot be used. `dependencies` are the use
    cases, handed to route handlers by name. `middleware` comes after what all of them have.
    """
    figures = PrometheusConfig(app_name=f"assay_{service}", group_path=True)
    return Litestar(
        route_handlers=[healthz, readyz, Metrics, *routes],
        lifespan=list(lifespan),
        state=State({"checks": dict(checks), "keyring": keyring or Keyring(settings.common.keys_file)}),
        dependencies={name: Provide(_give(value), sync_to_thread=False) for name, value in dependencies.items()},
        middleware=[TraceMiddleware(), figures.middleware, *middleware],
        exception_handlers={**_PROBLEMS, **(exception_handlers or {})},
        plugins=[PydanticPlugin(prefer_alias=True)],
        request_max_body_size=settings.max_body_bytes,
        openapi_config=OpenAPIConfig(
            title=f"Assay {service}",
            version="1",
            security=[{"key": []}],
            components=Components(security_schemes={"key": SecurityScheme(type="http", scheme="bearer")}),
        ),
        # Litestar would else set up the root logger anew, without JSON.
        logging_config=None,
        debug=False,
    )


def _give(value: object) -> Callable[[], Any]:
    return lambda: value


def serve(app: ASGIApp, settings: ServiceSettings, **server: Any) -> None:
    """Answer until SIGTERM; requests in hand are finished first. `server` are further options of uvicorn."""
    uvicorn.run(
        app,
        host=settings.common.http_host,
        port=settings.http_port,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=10,
        **server,
    )


def connections(store: Store, bus: Bus) -> Lifespan:
    """The lifespan that every service has: indexes, outbox relay, shared keys, and the bus last in, first out."""

    @asynccontextmanager
    async def run(app: Litestar) -> AsyncGenerator[None]:
        keys = SharedKeys(bus, app.state.keyring)
        await _until_ready(store.prepare, "mongo")
        await _until_ready(bus.start, "nats")
        await _until_ready(bus.check, "topology")
        await _until_ready(keys.catch_up, "keys")
        background = [asyncio.create_task(work) for work in (Outbox(store, bus.publish).run(), keys.follow())]
        try:
            yield
        finally:
            await bus.stop()
            for task in background:
                task.cancel()
            store.close()

    return run


def allow(scope: security.Scope) -> Callable[[ASGIConnection[Any, Any, Any, Any], BaseRouteHandler], None]:
    """A guard: the request carries a key with this scope. The key is then in `connection.state.key`."""

    def guard(connection: ASGIConnection[Any, Any, Any, Any], _handler: BaseRouteHandler) -> None:
        key = connection.app.state.keyring.authenticate(connection.headers.get("authorization"))
        # Known before it is refused, so that the audit log can tell who tried.
        connection.state.key = key
        security.require(key, scope)

    return guard


class TraceMiddleware(ASGIMiddleware):
    """Carries the caller's trace on, and answers with its id in `x-request-id`."""

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        if scope["type"] != "http":
            await next_app(scope, receive, send)
            return
        headers = {name.lower(): value for name, value in scope["headers"]}
        with telemetry.trace(headers.get(b"traceparent", b"").decode("latin-1") or None) as trace_id:

            async def send_with_id(message: Any) -> None:
                if message["type"] == "http.response.start":
                    message["headers"] = [*message["headers"], (b"x-request-id", trace_id.encode())]
                await send(message)

            await next_app(scope, receive, send_with_id)


class Metrics(PrometheusController):
    """Prometheus metrics."""

    path = "/metrics"
    openmetrics_format = False


@get("/healthz", sync_to_thread=False, include_in_schema=False)
def healthz() -> dict[str, str]:
    """The process lives."""
    return {"status": "ok"}


@get("/readyz", include_in_schema=False)
async def readyz(state: State) -> Response[dict[str, str]]:
    """Each dependency answers; 503 with what failed otherwise."""
    names = list(state.checks)
    outcomes = await asyncio.gather(*(_outcome(state.checks[name]) for name in names))
    ready = all(outcome == "ok" for outcome in outcomes)
    return Response(dict(zip(names, outcomes, strict=True)), status_code=200 if ready else 503)


async def _outcome(check: Check) -> str:
    try:
        await asyncio.wait_for(check(), CHECK_TIMEOUT_S)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "ok"


async def _until_ready(start: Check, what: str) -> None:
    while True:
        try:
            await start()
            return
        except Exception as error:
            _log.warning("waiting for a dependency", dependency=what, error=f"{type(error).__name__}: {error}")
            await asyncio.sleep(1)


def problem(status: int, title: str, detail: str, headers: dict[str, str] | None = None, **extra: Any) -> Response[Any]:
    """An RFC 9457 problem."""
    content = {"type": "about:blank", "title": title, "status": status, "detail": detail, **extra}
    return Response(content, status_code=status, media_type="application/problem+json", headers=headers)


def _not_authenticated(_request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    return problem(401, "Not authenticated", str(error), {"WWW-Authenticate": "Bearer"})


def _not_allowed(_request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    return problem(403, "Not allowed", str(error))


def _not_found(_request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    return problem(404, "Not found", str(error))


def _unavailable(_request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    return problem(503, "Unavailable", f"try again: {error}", {"Retry-After": "2"})


def _bad_request(_request: Request[Any, Any, Any], error: ValidationException) -> Response[Any]:
    return problem(400, "Bad request", error.detail, errors=error.extra)


def _bad_content(_request: Request[Any, Any, Any], error: ValidationError) -> Response[Any]:
    found = [{"field": ".".join(map(str, e["loc"])), "reason": e["msg"]} for e in error.errors()]
    return problem(400, "Bad request", "the request's content is not valid", errors=found)


def _http_error(_request: Request[Any, Any, Any], error: HTTPException) -> Response[Any]:
    return problem(error.status_code, type(error).__name__, error.detail, error.headers)


def _unexpected(_request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    _log.error("unexpected", exc_info=error)
    return problem(500, "Internal error", "this is our fault; the log has the details under the x-request-id")


_PROBLEMS: dict[Any, Any] = {
    security.NotAuthenticated: _not_authenticated,
    security.NotAllowed: _not_allowed,
    NotFound: _not_found,
    Unavailable: _unavailable,
    **dict.fromkeys(StoreUnreachable, _unavailable),
    ValidationException: _bad_request,
    ValidationError: _bad_content,
    HTTPException: _http_error,
    Exception: _unexpected,
}
