"""`/v1/events` and `/v1/dead_letters`."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

from litestar import Request, Router, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, HeaderParameter
from litestar.response import ServerSentEvent, ServerSentEventMessage

from services.gateway.api.bodies import json_body
from services.gateway.api.described import asks_for
from services.gateway.domain import following as domain_following
from services.gateway.domain import pages, posting
from services.gateway.service.following import Following
from services.gateway.service.posting import Posting
from shared.cloudevents import Envelope
from shared.security import require
from shared.web import allow


@post("/", status_code=202, operation_class=asks_for(Envelope))
async def publish(request: Request[Any, Any, Any], stream: NamedDependency[Posting]) -> dict[str, Any]:
    """Post one CloudEvent (structured JSON) of the contract; 202 when the stream holds it."""
    key = request.app.state.keyring.authenticate(request.headers.get("authorization"))
    request.state.key = key
    envelope = posting.read(await json_body(request), f"key:{key.id}")
    request.state.object_id = envelope.subject
    # The scope follows from the event's type, so that no guard can know it.
    require(key, posting.scope_of(envelope.type))
    await stream.post(envelope, key)
    return {"object": "event", "id": envelope.id, "type": envelope.type, "subject": envelope.subject}


@get("/", guards=[allow("train")])
async def follow(
    request: Request[Any, Any, Any],
    following: NamedDependency[Following],
    type: FromQuery[list[str] | None] = None,
    job_id: FromQuery[str | None] = None,
    last_event_id: Annotated[str | None, HeaderParameter(name="Last-Event-ID")] = None,
) -> ServerSentEvent:
    """Follow events live, as server-sent events: `type` and `job_id` pick some of them.

    Each has the event's place in the stream as its id: with that as `Last-Event-ID` a stream is taken up again
    without a gap. Without it, it begins with what happens next.
    """
    wanted = domain_following.types(type or [])
    after = await following.begin(domain_following.place(last_event_id))
    found = following.follow(request.state.key, wanted, job_id, after)
    return ServerSentEvent(_messages(found), headers={"x-accel-buffering": "no"})


async def _messages(found: AsyncIterator[tuple[int, Envelope] | None]) -> AsyncIterator[ServerSentEventMessage]:
    # So that whoever waits sees that he is heard.
    yield ServerSentEventMessage(data=None, comment="following")
    async for entry in found:
        if entry is None:
            yield ServerSentEventMessage(data=None, comment="still here")
        else:
            place, envelope = entry
            content = envelope.model_dump_json(exclude_none=True)
            yield ServerSentEventMessage(event=envelope.type, id=str(place), data=content)


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


events = Router("/v1/events", route_handlers=[publish, follow], tags=["events"])
letters = Router("/v1/dead_letters", route_handlers=[dead_letters, replay], guards=[allow("admin")], tags=["events"])
