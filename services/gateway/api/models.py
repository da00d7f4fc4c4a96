"""`/v1/models`."""

from typing import Any
from urllib.parse import unquote

from litestar import Request, Router, get
from litestar.di import NamedDependency
from litestar.params import FromPath

from services.gateway.api import routing
from services.gateway.api.versions import VERSIONS, act, shown
from services.gateway.service.inference import Inference
from services.gateway.service.routes import Routes
from services.gateway.service.versions import Versions
from shared.security import require
from shared.web import allow


@get("/", guards=[allow("infer")])
async def listed(inference: NamedDependency[Inference]) -> dict[str, Any]:
    """Every model that can be called: base models, fine-tuned ones, and the stable names of the newest approved."""
    return {"object": "list", "data": inference.models()}


@get("/{name:path}", guards=[allow("infer")])
async def one(
    request: Request[Any, Any, Any],
    name: FromPath[str],
    inference: NamedDependency[Inference],
    versions: NamedDependency[Versions],
    routes: NamedDependency[Routes],
) -> dict[str, Any]:
    """One of them; a name may hold slashes.

    With `/versions` behind a stable name: all of its versions. With `/routing`: how its requests are shared out.
    """
    wanted = unquote(str(name).removeprefix("/"))
    if wanted.endswith(VERSIONS):
        return shown(await versions.of(wanted.removesuffix(VERSIONS)), request.state.key)
    if wanted.endswith(routing.ROUTING):
        require(request.state.key, "admin")
        return routing.shown(await routes.get(wanted.removesuffix(routing.ROUTING)))
    return inference.model(wanted)


# One router, since a path has one; the scopes differ.
routes = Router("/v1/models", route_handlers=[listed, one, act, routing.changed, routing.removed], tags=["models"])
