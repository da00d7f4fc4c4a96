"""`/v1/dead_letters`."""

from typing import Any

from litestar import Router, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery

from services.gateway.events.service.dead_letters import DeadLetters
from shared.store import Cursor
from shared.web import allow


@get("/")
async def listed(
    dead_letters: NamedDependency[DeadLetters],
    before: FromQuery[int | None] = None,
    limit: FromQuery[int | None] = None,
) -> dict[str, Any]:
    """Events that could not be handled, newest first; `before` continues below a number."""
    wanted = Cursor.of(None, limit, default=20, largest=100).limit
    found = await dead_letters.page(before, wanted)
    return {"object": "list", "data": [{"object": "dead_letter", **letter.model_dump()} for letter in found]}


@post("/{place:int}/replay", status_code=202)
async def replay(place: FromPath[int], dead_letters: NamedDependency[DeadLetters]) -> dict[str, Any]:
    """Publish one again for the consumer that failed, and remove it from the list."""
    return {"object": "dead_letter.replayed", "id": str(place), "type": await dead_letters.replay(place)}


routes = Router("/v1/dead_letters", route_handlers=[listed, replay], guards=[allow("admin")], tags=["events"])
