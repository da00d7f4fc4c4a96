"""`/v1/events` and `/v1/dead_letters`."""

from typing import Any

from litestar import Request, Router, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery

from services.gateway.api.bodies import json_body
from services.gateway.domain import pages, posting
from services.gateway.service.posting import Posting
from shared.security import require
from shared.web import allow


@post("/", status_code=202)
async def publish(request: Request[Any, Any, Any], stream: NamedDependency[Posting]) -> dict[str, Any]:
    """Post one CloudEvent (structured JSON) of the contract; 202 when the stream holds it."""
    key = request.app.state.keyring.authenticate(request.headers.get("authorization"))
    envelope = posting.read(await json_body(request), f"key:{key.id}")
    # The scope follows from the event's type, so that no guard can know it.
    require(key, posting.scope_of(envelope.type))
    await stream.post(envelope, key)
    return {"object": "event", "id": envelope.id, "type": envelope.type, "subject": envelope.subject}


@get("/")
async def dead_letters(
    stream: NamedDependency[Posting], before: FromQuery[int | None] = None, limit: FromQuery[int | None] = None
) -> dict[str, Any]:
    """Events that could not be handled, newest first; `before` is the place to go on below."""
    wanted = pages.cursor(None, limit, default=20, largest=100).limit
    found = await stream.dead_letters(before, wanted)
    return {"object": "list", "data": [{"object": "dead_letter", **letter.model_dump()} for letter in found]}


@post("/{place:int}/replay", status_code=202)
async def replay(place: FromPath[int], stream: NamedDependency[Posting]) -> dict[str, Any]:
    """Give one to the consumer that failed again, and take it off the list."""
    return {"object": "dead_letter.replayed", "id": str(place), "type": await stream.replay(place)}


events = Router("/v1/events", route_handlers=[publish], tags=["events"])
letters = Router("/v1/dead_letters", route_handlers=[dead_letters, replay], guards=[allow("admin")], tags=["events"])
