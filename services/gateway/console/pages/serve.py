"""Serve: names with their versions and shares, and engines."""

from typing import Any

from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.params import FromQuery

from services.gateway.common.domain.errors import ApiError
from services.gateway.console.domain.share_change import STICKY, ShareChange, suggested
from services.gateway.console.pages import PAGES
from services.gateway.console.service.serving_overview import LISTED, ServingOverviews

AnyRequest = Request[Any, Any, Any]


@get("/")
async def serve(
    request: AnyRequest,
    serving: NamedDependency[ServingOverviews],
    name: FromQuery[str] = "",
    find: FromQuery[str] = "",
    back_to: FromQuery[str] = "",
    done: FromQuery[str] = "",
) -> Response[bytes]:
    """The names, one of them opened, and the engines. `back_to` is the version that a rollback is asked for."""
    return await serve_page(request, serving, name=name, find=find, back_to=back_to, done=done)


@get("/engines")
async def engines(request: AnyRequest, serving: NamedDependency[ServingOverviews]) -> Response[bytes]:
    """The engines as they are now, asked again every few seconds."""
    return PAGES.fragment(request, "serve_engines.html.j2", pools=await serving.engines())


@get("/consequence")
async def consequence(
    request: AnyRequest,
    serving: NamedDependency[ServingOverviews],
    name: FromQuery[str],
    version: FromQuery[str],
    rest: FromQuery[str],
    percent: FromQuery[int],
    sticky: FromQuery[str] = "",
) -> Response[bytes]:
    """What a change of shares would do, before it is applied."""
    found = await serving.name(name)
    change = ShareChange(version, rest, min(max(percent, 0), 100), sticky if sticky in STICKY else "user")
    return PAGES.fragment(request, "serve_consequence.html.j2", name=found, change=change, holders=serving.holders)


async def serve_page(
    request: AnyRequest,
    serving: ServingOverviews,
    *,
    name: str = "",
    find: str = "",
    back_to: str = "",
    done: str = "",
    refused: ApiError | None = None,
    typed: dict[str, str] | None = None,
    status: int = 200,
) -> Response[bytes]:
    """The page; after a refused action with its reason and with what was typed."""
    rows, count = serving.names(find)
    opened = name or (rows[0].alias if rows else "")
    found = await serving.name(opened) if opened else None
    change = suggested(found) if found else None
    values: dict[str, Any] = {
        "names": rows,
        "count": count,
        "listed": LISTED,
        "find": find,
        "opened": opened,
        "name": found,
        "change": change,
        "back_to": found.row(back_to) if found and back_to else None,
        "holders": serving.holders,
        "pools": await serving.engines(),
        "done": done,
        "refused": refused.message if refused else "",
        "typed": typed or {},
    }
    return PAGES.page(request, "serve.html.j2", status=status, at="serve", **values)
