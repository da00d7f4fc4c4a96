"""What operators do on the Serve page: shares, shadow, rollback, engines. Each form calls one use case of the API."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from litestar import Request, Response, post
from litestar.di import NamedDependency

from services.gateway.common.domain.errors import ApiError, no_model
from services.gateway.console.domain.header_rules import with_rule, without_rule
from services.gateway.console.domain.served_name import ServedName
from services.gateway.console.domain.share_change import ShareChange, with_shadow
from services.gateway.console.pages.actions import status_of, whole_number
from services.gateway.console.pages.serve import serve_page
from services.gateway.console.service.engine_changes import EngineChanges
from services.gateway.console.service.serving_overview import ServingOverviews
from services.gateway.inference.domain.traffic_split import read as read_split
from services.gateway.inference.service.traffic_splits import TrafficSplits
from services.gateway.serving.service.versions import Versions
from shared.pages.forms import fields, see_other
from shared.web import allow

AnyRequest = Request[Any, Any, Any]
Overviews = NamedDependency[ServingOverviews]
_ADMIN = [allow("admin")]


@post("/shares", guards=_ADMIN)
async def shares(request: AnyRequest, serving: Overviews, splits: NamedDependency[TrafficSplits]) -> Response[bytes]:
    """Send a share of a name's requests to a version."""
    typed = await fields(request)
    change = ShareChange(
        typed.get("version", ""),
        typed.get("rest", ""),
        min(whole_number(typed, "percent"), 100),
        typed.get("sticky", ""),
    )
    return await _split(request, serving, splits, typed, change.applied)


@post("/shadow", guards=_ADMIN)
async def shadow(request: AnyRequest, serving: Overviews, splits: NamedDependency[TrafficSplits]) -> Response[bytes]:
    """Copy requests to a version whose answers are thrown away; 0 percent ends it."""
    typed = await fields(request)
    version, percent = typed.get("version", ""), min(whole_number(typed, "percent"), 100)
    return await _split(request, serving, splits, typed, lambda name: with_shadow(name, version, percent))


@post("/rules", guards=_ADMIN)
async def add_rule(request: AnyRequest, serving: Overviews, splits: NamedDependency[TrafficSplits]) -> Response[bytes]:
    """Send requests with a header of this value to a version."""
    typed = await fields(request)
    header, equals, version = (typed.get(name, "") for name in ("header", "equals", "version"))
    return await _split(request, serving, splits, typed, lambda name: with_rule(name, header, equals, version), "rules")


@post("/rules/remove", guards=_ADMIN)
async def remove_rule(
    request: AnyRequest, serving: Overviews, splits: NamedDependency[TrafficSplits]
) -> Response[bytes]:
    """End a rule; the requests follow the shares again."""
    typed = await fields(request)
    header, equals = typed.get("header", ""), typed.get("equals", "")
    return await _split(request, serving, splits, typed, lambda name: without_rule(name, header, equals), "rules")


@post("/whole", guards=_ADMIN)
async def whole(request: AnyRequest, serving: Overviews, splits: NamedDependency[TrafficSplits]) -> Response[bytes]:
    """End the split: the name's own version answers every request."""
    return await _split(request, serving, splits, await fields(request), lambda _: {})


@post("/rollback", guards=_ADMIN)
async def roll_back(request: AnyRequest, serving: Overviews, versions: NamedDependency[Versions]) -> Response[bytes]:
    """Let a name mean an earlier version until a newer one is approved."""
    typed = await fields(request)
    name, version = typed.get("name", ""), typed.get("version", "")
    request.state.object_id = name
    reason = typed.get("reason") or "asked for in the console"
    return await _acted(
        request, serving, typed, "rollback", lambda: versions.roll_back(name, version or None, reason[:500])
    )


@post("/engines", guards=_ADMIN)
async def add_engine(
    request: AnyRequest, serving: Overviews, engines: NamedDependency[EngineChanges]
) -> Response[bytes]:
    """Add an engine to a pool."""
    return await _engine(request, serving, engines.add, "engine")


@post("/engines/remove", guards=_ADMIN)
async def remove_engine(
    request: AnyRequest, serving: Overviews, engines: NamedDependency[EngineChanges]
) -> Response[bytes]:
    """Remove an engine from its pool; it finishes its answers."""
    return await _engine(request, serving, engines.remove, "engine_gone")


async def _engine(
    request: AnyRequest,
    serving: ServingOverviews,
    change: Callable[[str, str, str], Awaitable[object]],
    done: str,
) -> Response[bytes]:
    """`change` gets the pool, the engine's URL and the id of the key that asks."""
    typed, author = await fields(request), request.state.key.id
    request.state.object_id = pool = typed.get("pool", "")
    return await _acted(request, serving, typed, done, lambda: change(pool, typed.get("url", ""), author))


async def _split(
    request: AnyRequest,
    serving: ServingOverviews,
    splits: TrafficSplits,
    typed: dict[str, str],
    decide: Callable[[ServedName], dict[str, Any]],
    done: str = "shares",
) -> Response[bytes]:
    async def put() -> None:
        alias = typed.get("name", "")
        request.state.object_id = alias
        name = await serving.name(alias)
        if name is None:
            raise no_model(alias)
        # Of the split as it is when it is written: a form changes a part of it and leaves the rest.
        await splits.change(alias, lambda known: read_split(decide(replace(name, split=known))), request.state.key)

    return await _acted(request, serving, typed, done, put)


async def _acted(
    request: AnyRequest,
    serving: ServingOverviews,
    typed: dict[str, str],
    done: str,
    act: Callable[[], Awaitable[object]],
) -> Response[bytes]:
    name = typed.get("name", "")
    try:
        await act()
    except ApiError as error:
        typed["form"] = done
        back_to = typed.get("version", "") if done == "rollback" else ""
        kept: dict[str, Any] = {"name": name, "back_to": back_to, "typed": typed}
        return await serve_page(request, serving, refused=error, status=status_of(error), **kept)
    return see_other("/console/serve", name=name, done=done)


HANDLERS = (shares, shadow, add_rule, remove_rule, whole, roll_back, add_engine, remove_engine)
