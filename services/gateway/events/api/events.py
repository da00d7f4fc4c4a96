"""`/v1/events`."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

from litestar import Request, Router, get, post
from litestar.di import NamedDependency
from litestar.params import FromQuery, HeaderParameter
from litestar.response import ServerSentEvent, ServerSentEventMessage

from services.gateway.common.api.json_body import json_body
from services.gateway.common.api.openapi_schema import asks_for
from services.gateway.events.domain import posted_event
from services.gateway.events.domain import subscription as domain_following
from services.gateway.events.domain.stream_position import StreamPlace
from services.gateway.events.service.publisher import EventPublisher
from services.gateway.events.service.subscriptions import EventSubscriptions
from shared.cloudevents import Envelope
from shared.security import require
from shared.web import allow, authenticate


@post("/", status_code=202, operation_class=asks_for(Envelope))
async def publish(request: Request[Any, Any, Any], publisher: NamedDependency[EventPublisher]) -> dict[str, Any]:
    """Post one CloudEvent (structured JSON) of the contract; 202 when the stream has stored it."""
    request.state.key = key = await authenticate(request)
    envelope = posted_event.read(await json_body(request), key)
    request.state.object_id = envelope.subject
    # The scope follows from the event's type, so that no guard can know it.
    require(key, posted_event.scope_of(envelope.type))
    envelope = await publisher.post(envelope, key)
    return {"object": "event", "id": envelope.id, "type": envelope.type, "subject": envelope.subject}


@get("/", guards=[allow("train")])
async def follow(
    request: Request[Any, Any, Any],
    subscriptions: NamedDependency[EventSubscriptions],
    type: FromQuery[list[str] | None] = None,
    job_id: FromQuery[str | None] = None,
    last_event_id: Annotated[str | None, HeaderParameter(name="Last-Event-ID")] = None,
) -> ServerSentEvent:
    """Follow events live, as server-sent events; `type` and `job_id` filter them.

    Each has the event's place in the stream as its id: with that as `Last-Event-ID` a stream is taken up again
    without a gap. Without it, it begins with what happens next.
    """
    wanted = domain_following.types(type or [])
    after = await subscriptions.begin(domain_following.place(last_event_id))
    found = subscriptions.follow(request.state.key, wanted, job_id, after)
    return ServerSentEvent(_messages(found), headers={"x-accel-buffering": "no"})


async def _messages(found: AsyncIterator[tuple[StreamPlace, Envelope] | None]) -> AsyncIterator[ServerSentEventMessage]:
    # The client sees at once that the stream is open.
    yield ServerSentEventMessage(data=None, comment="following")
    async for entry in found:
        if entry is None:
            yield ServerSentEventMessage(data=None, comment="still here")
        else:
            place, envelope = entry
            content = envelope.model_dump_json(exclude_none=True)
            yield ServerSentEventMessage(event=envelope.type, id=str(place), data=content)


routes = Router("/v1/events", route_handlers=[publish, follow], tags=["events"])
