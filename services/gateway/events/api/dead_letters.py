"""`/v1/dead_letters`."""

from typing import Any

from litestar import Request, Router, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery

from services.gateway.common.api.json_body import optional_json_body
from services.gateway.common.api.openapi_schema import asks_for
from services.gateway.events.domain.letter_filter import LetterFilter
from services.gateway.events.domain.webhook import read
from services.gateway.events.service.dead_letters import DeadLetters
from shared.store import Cursor
from shared.web import allow

AnyRequest = Request[Any, Any, Any]


@get("/")
async def listed(
    dead_letters: NamedDependency[DeadLetters],
    type: FromQuery[str] = "",
    consumer: FromQuery[str] = "",
    before: FromQuery[int | None] = None,
    limit: FromQuery[int | None] = None,
) -> dict[str, Any]:
    """Events that could not be handled, newest first, of a type or a consumer; `before` continues below a number."""
    wanted = LetterFilter(type=type, consumer=consumer)
    page = await dead_letters.page(wanted, before, Cursor.of(None, limit, default=20, largest=100).limit)
    data = [{"object": "dead_letter", **letter.model_dump()} for letter in page.letters]
    more = page.next_before is not None
    return {"object": "list", "data": data, "has_more": more, "next_before": page.next_before}


@post("/{place:int}/replay", status_code=202)
async def replay(place: FromPath[int], dead_letters: NamedDependency[DeadLetters]) -> dict[str, Any]:
    """Publish one again for the consumer that failed, and remove it from the list."""
    return {"object": "dead_letter.replayed", "id": str(place), "type": await dead_letters.replay(place)}


@post("/replay", status_code=202, operation_class=asks_for(LetterFilter))
async def replay_all(request: AnyRequest, dead_letters: NamedDependency[DeadLetters]) -> dict[str, Any]:
    """Publish all of a type, of a consumer or of both again, the oldest first, at most 1000 in one request.

    `has_more` says that more are left; `kept` counts messages that are not events and stay.
    """
    done = await dead_letters.replay_all(read(LetterFilter, await optional_json_body(request)))
    return {"object": "dead_letters.replayed", "replayed": done.replayed, "kept": done.kept, "has_more": done.more}


routes = Router(
    "/v1/dead_letters", route_handlers=[listed, replay, replay_all], guards=[allow("admin")], tags=["events"]
)
