"""`/v1/models/{alias}/rollback` and `/versions`; a name may hold slashes, so the last part of the path says which."""

from typing import Any
from urllib.parse import unquote

from litestar import Request, post
from litestar.di import NamedDependency
from litestar.exceptions import NotFoundException
from litestar.params import FromPath
from pydantic import BaseModel, ConfigDict, Field

from services.gateway.common.api.json_body import json_body
from services.gateway.common.api.openapi_schema import asks_for
from services.gateway.serving.service.versions import Lineage, Versions
from shared.security import Key
from shared.web import allow

ROLLBACK, VERSIONS = "/rollback", "/versions"


class RollbackRequest(BaseModel):
    """The optional body."""

    model_config = ConfigDict(extra="forbid", strict=True)

    version: str | None = Field(default=None, min_length=1, max_length=64)
    reason: str = Field(default="asked for", max_length=500)


@post(
    "/{name:path}",
    status_code=200,
    guards=[allow("admin")],
    operation_class=asks_for(RollbackRequest, optional=True),
)
async def roll_back(
    name: FromPath[str], request: Request[Any, Any, Any], versions: NamedDependency[Versions]
) -> dict[str, Any]:
    """`POST /v1/models/{alias}/rollback`: roll a stable name back to the version before, or to `version`."""
    wanted = unquote(str(name)).removeprefix("/")
    if not wanted.endswith(ROLLBACK):
        raise NotFoundException
    asked = RollbackRequest.model_validate(await json_body(request) if await request.body() else {})
    fact = await versions.roll_back(wanted.removesuffix(ROLLBACK), asked.version, asked.reason)
    return {"object": "model.rollback", **fact.model_dump()}


def shown(lineage: Lineage, key: Key) -> dict[str, Any]:
    """An alias's versions, newest first; their jobs are shown to their owner only."""
    data = [
        {
            "object": "model.version",
            "version": deployment.candidate.version,
            "model": deployment.model,
            "job_id": deployment.id if key.owns(deployment.candidate.owner) else None,
            "step": deployment.candidate.step,
            "deployed_at": int(deployment.deployed_at or deployment.at),
            "current": deployment is lineage.current,
        }
        for deployment in reversed(lineage.versions)
    ]
    return {"object": "list", "alias": lineage.alias, "data": data}
