"""`/v1/pools`."""

import time
from typing import Any
from urllib.parse import unquote

from litestar import Request, Router, delete, get, put
from litestar.di import NamedDependency
from litestar.params import FromPath
from pydantic import BaseModel, ConfigDict

from services.gateway.common.api.json_body import json_body
from services.gateway.common.api.openapi_schema import asks_for
from services.gateway.serving.domain.pool import Mode, Pool, parts_of
from services.gateway.serving.domain.replica import Replica
from services.gateway.serving.service.pools import Pools
from shared.web import allow


class PoolRequest(BaseModel):
    """The body of `PUT /v1/pools/{base}`."""

    model_config = ConfigDict(extra="forbid", strict=True)

    replicas: list[str]
    mode: Mode | None = None
    """Optional: it follows from the pool's name and must match it."""


@get("/")
async def listed(pools: NamedDependency[Pools]) -> dict[str, Any]:
    """Every pool, and what this gateway sees of its engines."""
    return {"object": "list", "data": [_shown(pool, pools) for pool in await pools.listed()]}


@put("/{base:path}", operation_class=asks_for(PoolRequest))
async def changed(
    base: FromPath[str], request: Request[Any, Any, Any], pools: NamedDependency[Pools]
) -> dict[str, Any]:
    """Create a pool or change its engines, for every gateway; removed engines finish their answers."""
    asked = PoolRequest.model_validate(await json_body(request))
    pool = await pools.put(_name(base), asked.replicas, asked.mode, author=request.state.key.id)
    return _shown(pool, pools)


@delete("/{base:path}", status_code=200)
async def removed(
    base: FromPath[str], request: Request[Any, Any, Any], pools: NamedDependency[Pools]
) -> dict[str, Any]:
    """Remove a pool: its engines get no more requests."""
    await pools.remove(_name(base), author=request.state.key.id)
    return {"id": _name(base), "object": "pool", "deleted": True}


def _name(base: str) -> str:
    return unquote(str(base)).removeprefix("/")


def _shown(pool: Pool, pools: Pools) -> dict[str, Any]:
    fleet, (base, alias) = pools.fleet, parts_of(pool.id)
    known = [replica for replica in fleet.pools.get(base, ()) if replica.alias == alias]
    engines = [_engine(replica, "up" if replica.up else "down") for replica in known]
    engines += [_engine(r, "draining") for r in fleet.draining if (r.base, r.alias) == (base, alias)]
    return {
        "id": pool.id,
        "object": "pool",
        "mode": pool.mode,
        "context_length": pool.context_length,
        "replicas": pool.replicas,
        "engines": engines,
    }


def _engine(replica: Replica, state: str) -> dict[str, Any]:
    rests = max(0.0, replica.rests_until - time.monotonic())
    return {
        "url": replica.url,
        "state": state,
        "reason": None if state == "up" else replica.reason,
        "in_flight": replica.in_flight,
        "versions": sorted(replica.loaded),
        "rests_s": round(rests, 1),
    }


routes = Router("/v1/pools", route_handlers=[listed, changed, removed], guards=[allow("admin")], tags=["pools"])
