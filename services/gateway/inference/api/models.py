"""`/v1/models`."""

from typing import Any
from urllib.parse import unquote

from litestar import Request, delete, get
from litestar.di import NamedDependency
from litestar.params import FromPath

from services.gateway.inference.api import traffic_split
from services.gateway.inference.service.traffic_splits import TrafficSplits
from services.gateway.serving.api import versions as versions_api
from services.gateway.serving.service.model_deletion import ModelDeletion
from services.gateway.serving.service.model_list import ModelList
from services.gateway.serving.service.versions import Versions
from shared.security import require
from shared.web import allow


@get("/", guards=[allow("infer")])
async def listed(models: NamedDependency[ModelList]) -> dict[str, Any]:
    """Every model that can be called: base models, fine-tuned ones, and stable names of the newest approved version."""
    return {"object": "list", "data": models.all()}


@get("/{name:path}", guards=[allow("infer")])
async def one(
    request: Request[Any, Any, Any],
    name: FromPath[str],
    models: NamedDependency[ModelList],
    versions: NamedDependency[Versions],
    splits: NamedDependency[TrafficSplits],
) -> dict[str, Any]:
    """One model; a name may contain slashes.

    With `/versions` after a stable name: all of its versions. With `/routing`: the split of its requests.
    """
    wanted = unquote(str(name).removeprefix("/"))
    if wanted.endswith(versions_api.VERSIONS):
        return versions_api.shown(await versions.of(wanted.removesuffix(versions_api.VERSIONS)), request.state.key)
    if wanted.endswith(traffic_split.ROUTING):
        require(request.state.key, "admin")
        return traffic_split.shown(await splits.get(wanted.removesuffix(traffic_split.ROUTING)))
    return models.one(wanted)


@delete("/{name:path}", status_code=200, guards=[allow("train")])
async def removed(
    request: Request[Any, Any, Any],
    name: FromPath[str],
    deletion: NamedDependency[ModelDeletion],
    splits: NamedDependency[TrafficSplits],
) -> dict[str, Any]:
    """Delete a fine-tuned model. With `/routing` after a stable name: end the split of its requests."""
    wanted = unquote(str(name).removeprefix("/"))
    if wanted.endswith(traffic_split.ROUTING):
        return await traffic_split.removed(wanted, splits, request.state.key)
    await deletion.delete(wanted, request.state.key)
    return {"id": wanted, "object": "model", "deleted": True}


routes = [listed, one, removed, traffic_split.changed]
