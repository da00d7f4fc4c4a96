"""`/v1/usage`."""

from datetime import date
from typing import Annotated, Any

from litestar import Request, Router, get
from litestar.di import NamedDependency
from litestar.params import FromQuery, Parameter

from services.gateway.access.domain.usage import Part
from services.gateway.access.service.usage_ledger import UsageLedger
from shared.security import NotAllowed


@get("/")
async def used(
    request: Request[Any, Any, Any],
    ledger: NamedDependency[UsageLedger],
    start: FromQuery[date | None] = None,
    end: FromQuery[date | None] = None,
    key_id: FromQuery[str | None] = None,
    group_by: Annotated[list[Part] | None, Parameter(max_items=3)] = None,
) -> dict[str, Any]:
    """Requests and tokens by key, version and day (UTC), or summed by `group_by`; by default of the last thirty days.

    A key sees its own usage; an administrator sees that of all keys.
    """
    key = request.app.state.keyring.authenticate(request.headers.get("authorization"))
    if key_id is not None and not key.owns(key_id):
        raise NotAllowed("the usage of other keys needs the scope 'admin'; leave out 'key_id' to see your own")
    shown = key_id if key.allows("admin") else key.id
    data = await ledger.usage(start, end, shown, tuple(dict.fromkeys(group_by or ())))
    return {"object": "list", "data": [{"object": "usage", **row} for row in data], "has_more": False}


routes = Router("/v1/usage", route_handlers=[used], tags=["usage"])
