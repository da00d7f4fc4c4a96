"""`/v1/models/{alias}/routing`; a name may contain slashes, so the last part of the path selects the resource."""

from typing import Any
from urllib.parse import unquote

from litestar import Request, put
from litestar.di import NamedDependency
from litestar.exceptions import NotFoundException
from litestar.params import FromPath

from services.gateway.common.api.json_body import json_body
from services.gateway.common.api.openapi_schema import asks_for
from services.gateway.inference.domain import traffic_split
from services.gateway.inference.domain.traffic_split import AliasSplit, SplitRevision, TrafficSplit
from services.gateway.inference.service.traffic_splits import TrafficSplits
from shared.security import Key, require
from shared.web import allow

ROUTING = "/routing"
AnyRequest = Request[Any, Any, Any]


@put("/{name:path}", guards=[allow("admin")], operation_class=asks_for(TrafficSplit))
async def changed(name: FromPath[str], request: AnyRequest, splits: NamedDependency[TrafficSplits]) -> dict[str, Any]:
    """`PUT /v1/models/{alias}/routing`: split the requests of a stable name among its versions."""
    wish = traffic_split.read(await json_body(request))
    return shown(await splits.put(_alias(name), wish, request.state.key))


async def removed(wanted: str, splits: TrafficSplits, key: Key) -> dict[str, Any]:
    """`DELETE /v1/models/{alias}/routing`: the current version answers every request again."""
    require(key, "admin")
    return shown(await splits.put(wanted.removesuffix(ROUTING), TrafficSplit(), key))


def shown(split: AliasSplit) -> dict[str, Any]:
    """An alias's traffic split and the earlier ones, newest first."""
    earlier = [_revision(revision) for revision in split.earlier]
    return {"object": "model.routing", "alias": split.id, **_revision(split.now), "earlier": earlier}


def _revision(revision: SplitRevision) -> dict[str, Any]:
    routing = revision.routing.model_dump(mode="json")
    return {"number": revision.number, "changed_at": int(revision.at), "changed_by": revision.by, **routing}


def _alias(name: str) -> str:
    wanted = unquote(str(name)).removeprefix("/")
    if not wanted.endswith(ROUTING):
        raise NotFoundException
    return wanted.removesuffix(ROUTING)
