"""`/v1/pools`."""

import time
from typing import Any
from urllib.parse import unquote

from litestar import Request, Router, delete, get, put
from litestar.di import NamedDependency
from litestar.params import FromPath
from pydantic import BaseModel, ConfigDict

from services.gateway.api.bodies import json_body
from services.gateway.api.described import asks_for
from services.gateway.domain.fleet import Replica
from services.gateway.domain.pool import Mode, parts_of
from services.gateway.ports import PoolView
from services.gateway.service.deployments import Deployments
from shared.web import allow


class PoolRequest(BaseModel):
    """The body of `PUT /v1/pools/{base}`."""

    model_config = ConfigDict(extra="forbid", strict=True)

    replicas: list[str]
    mode: Mode | None = None
    """Follows from the pool's name; given, it must be that."""


@get("/")
async def listed(deployments: NamedDependency[Deployments]) -> dict[str, Any]:
    """Every pool, and what this gateway sees of its engines."""
    pools = await deployments.pools.listed()
    return {"object": "list", "data": [_shown(pool, deployments) for pool in pools]}


@put("/{base:path}", operation_class=asks_for(PoolRequest))
async def changed(
    base: FromPath[str], request: Request[Any, Any, Any], deployments: NamedDependency[Deployments]
) -> dict[str, Any]:
    """Make a pool or change its engines, at once and for every gateway; those that leave finish what they answer."""
    asked = PoolRequest.model_validate(await json_body(request))
    pool = await deployments.pools.put(_name(base), asked.replicas, asked.mode)
    deployments.changed.set()
    return _shown(pool, deployments)


@delete("/{base:path}", status_code=200)
async def removed(base: FromPath[str], deployments: NamedDependency[Deployments]) -> dict[str, Any]:
    """Ask a pool's engines for nothing more."""
    await deployments.pools.remove(_name(base))
    deployments.changed.set()
    return {"id": _name(base), "object": "pool", "deleted": True}


def _name(base: str) -> str:
    return unquote(str(base)).removeprefix("/")


def _shown(pool: PoolView, deployments: Deployments) -> dict[str, Any]:
    fleet, (base, alias) = deployments.fleet, parts_of(pool.id)
    known = [replica for replica in fleet.pools.get(base, ()) if replica.alias == alias]
    engines = [_engine(replica, "up" if replica.up else "down") for replica in known]
    engines += [_engine(r, "draining") for r in fleet.draining if (r.base, r.alias) == (base, alias)]
    return {"id": pool.id, "object": "pool", "mode": pool.mode, "replicas": pool.replicas, "engines": engines}


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
