"""The Litestar application of a service."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from litestar import Litestar
from litestar.datastructures import State
from litestar.di import Provide
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme
from litestar.plugins.prometheus import PrometheusConfig
from litestar.plugins.pydantic import PydanticPlugin

from shared import tracing
from shared.outages import Check
from shared.security import Keyring
from shared.settings import ServiceSettings
from shared.store import BaseStore
from shared.web import problem_details
from shared.web.audit import AuditMiddleware
from shared.web.lifespan import Lifespan
from shared.web.metrics import Metrics
from shared.web.readiness import healthz, ready_for_requests, readyz
from shared.web.request import CheckedRequest
from shared.web.trace import TraceMiddleware
from shared.web.unknown_addresses import unknown_addresses


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
    audited: BaseStore | None = None,
    needed_by_requests: Sequence[str] = ("mongo",),
    page_errors: Mapping[Any, Any] | None = None,
) -> Litestar:
    """A service's HTTP application with everything that all services have.

    `checks` are what `/readyz` tests; each raises when its dependency cannot be used. `needed_by_requests` names those
    that `/readyz/requests` tests. `dependencies` are the use cases, injected into route handlers by name. `middleware`
    runs inside the middleware that all services have. With `audited`, the service's database, each state-changing
    request is published as `audit.recorded` by its outbox. `page_errors` show 404 and 405 below `/console/`.
    """
    metrics = PrometheusConfig(app_name=f"assay_{service}", group_path=True)
    audit = [AuditMiddleware(service, audited)] if audited else []
    handlers = unknown_addresses(exception_handlers or {}, page_errors or {})
    return Litestar(
        route_handlers=[healthz, readyz, ready_for_requests, Metrics, *routes],
        lifespan=[tracing.flushed, *lifespan],
        state=State(
            {
                "checks": dict(checks),
                "needed_by_requests": [name for name in needed_by_requests if name in checks],
                "keyring": keyring or Keyring(settings.common.keys_file),
            }
        ),
        dependencies={name: Provide(_give(value), sync_to_thread=False) for name, value in dependencies.items()},
        middleware=[*tracing.asgi_middlewares(), TraceMiddleware(), metrics.middleware, *audit, *middleware],
        exception_handlers=handlers,
        plugins=[PydanticPlugin(prefer_alias=True), problem_details.plugin(handled=handlers)],
        request_class=CheckedRequest,
        request_max_body_size=settings.max_body_bytes,
        openapi_config=_openapi(service),
        # Litestar would otherwise replace the JSON logging of the root logger.
        logging_config=None,
        debug=False,
    )


def _openapi(service: str) -> OpenAPIConfig:
    return OpenAPIConfig(
        title=f"Assay {service}",
        version="1",
        security=[{"key": []}],
        components=Components(security_schemes={"key": SecurityScheme(type="http", scheme="bearer")}),
        # JSON only: the HTML pages load scripts from a CDN, which an offline machine cannot reach.
        render_plugins=[JsonRenderPlugin()],
    )


def _give(value: object) -> Callable[[], Any]:
    return lambda: value
