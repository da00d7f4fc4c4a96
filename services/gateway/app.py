"""Puts the gateway together out of its parts."""

from collections.abc import Sequence

from litestar import Router

from services.gateway.access.api import lifespans as access_lifespans
from services.gateway.access.api.audit_middleware import AuditMiddleware
from services.gateway.access.app import access
from services.gateway.common.api import error_responses
from services.gateway.common.app import Part, Resources
from services.gateway.config import Settings
from services.gateway.console.app import console
from services.gateway.console.pages import PAGES
from services.gateway.events.app import events
from services.gateway.fine_tuning.app import fine_tuning
from services.gateway.inference.api.fast_path import FastPath
from services.gateway.inference.app import inference
from services.gateway.inference.domain.traffic_split import AliasSplit
from services.gateway.inference.service.split_plans import SplitPlans
from services.gateway.serving.api.lifespans import engines_ready
from services.gateway.serving.app import serving
from services.gateway.serving.domain.fleet import Fleet
from shared import web
from shared.pages import error_pages


def build(settings: Settings) -> FastPath:
    """The whole service, not yet connected to anything; only the parts in `settings.parts` answer requests."""
    resources, enabled = Resources.of(settings), settings.parts
    fleet = Fleet({})
    splits = SplitPlans(splits=resources.collection("routes", AliasSplit, few=True))
    tuning = fine_tuning(resources, base_models=fleet.pools)
    served = serving(resources, tuning, fleet=fleet, splits=splits)
    allowed = access(resources)
    asked = inference(
        resources,
        access=allowed,
        serving=served,
        fine_tuning=tuning,
        fleet=fleet,
        splits=splits,
        loads_on_demand="serving" in enabled,
    )
    followed = events(resources, tuning, may_call=asked.resolver.resolve, admit=allowed.event_rate.admit)
    built: dict[str, Part] = {
        "inference": asked.part,
        "serving": served.part,
        "fine_tuning": tuning.part,
        "access": allowed.part,
        "events": followed.part,
        "console": console(
            resources,
            fine_tuning=tuning,
            serving=served,
            access=allowed,
            events=followed,
            fleet=fleet,
            splits=splits,
            traffic_splits=asked.traffic_splits,
        ),
    }
    parts = [built[name] for name in enabled]
    if "serving" not in enabled:
        parts.append(served.following)
    for part in parts:
        part.subscribe()
    application = web.build(
        "gateway",
        settings,
        [*(route for part in parts for route in part.routes), _models(parts)],
        checks={
            "mongo": resources.store.check,
            "nats": resources.bus.check,
            "artifacts": resources.artifacts.ready,
            "engines": engines_ready(fleet),
        },
        # Chat needs neither MongoDB nor NATS.
        needed_by_requests=["engines"] if "inference" in enabled else ["mongo"],
        lifespan=[
            web.connections(
                resources.store,
                resources.bus,
                inbox_days=settings.common.inbox_days,
                retentions=[each for part in built.values() for each in part.retentions],
            ),
            access_lifespans.flushing(allowed.ledger),
            access_lifespans.flushing(allowed.event_rate.ledger),
            *(lifespan for part in parts for lifespan in part.lifespan),
        ],
        dependencies={name: value for part in parts for name, value in part.dependencies.items()},
        keyring=resources.keyring,
        middleware=[AuditMiddleware(allowed.audit_log)],
        exception_handlers=error_responses.HANDLERS,
        page_errors=error_pages(PAGES),
    )
    return FastPath(application, asked.fast_handlers if "inference" in enabled else {})


def _models(parts: Sequence[Part]) -> Router:
    handlers = [handler for part in parts for handler in part.model_routes]
    return Router("/v1/models", route_handlers=handlers, tags=["models"])
