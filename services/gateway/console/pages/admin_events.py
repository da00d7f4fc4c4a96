"""Admin, live events and dead letters."""

import json
from typing import Any

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromQuery

from services.gateway.common.domain.errors import ApiError
from services.gateway.console.pages.actions import status_of, whole_number
from services.gateway.console.pages.admin import admin_page
from services.gateway.events.domain.letter_filter import LetterFilter
from services.gateway.events.service.dead_letters import DeadLetters
from shared.consumers import CONSUMERS
from shared.events import EVENTS
from shared.pages.forms import fields, see_other
from shared.web import allow

AnyRequest = Request[Any, Any, Any]
Letters = NamedDependency[DeadLetters]
PAGE_SIZE = 30
_ADMIN = [allow("admin")]


@get("/events", guards=[allow("train")], sync_to_thread=False)
def events_page(request: AnyRequest, type: FromQuery[str] = "", job_id: FromQuery[str] = "") -> Response[bytes]:
    """What happens from now on; the browser reads the stream of the API."""
    wanted = type if type in EVENTS else ""
    return admin_page(request, "events", types=sorted(EVENTS), wanted=wanted, job_id=job_id.strip())


@get("/dead_letters", guards=_ADMIN)
async def dead_letters_page(
    request: AnyRequest,
    dead_letters: Letters,
    before: FromQuery[int] = 0,
    type: FromQuery[str] = "",
    consumer: FromQuery[str] = "",
    replayed: FromQuery[int] = 0,
) -> Response[bytes]:
    """Events that could not be handled, newest first."""
    wanted = LetterFilter(type=type, consumer=consumer)
    return await _page(request, dead_letters, wanted, before=before, replayed=replayed)


@post("/dead_letters/replay", guards=_ADMIN)
async def replay(request: AnyRequest, dead_letters: Letters) -> Response[bytes]:
    """Publish one again for the consumer that failed."""
    typed = await fields(request)
    wanted = LetterFilter(type=typed.get("type", ""), consumer=typed.get("consumer", ""))
    request.state.object_id = typed.get("place", "")
    try:
        await dead_letters.replay(whole_number(typed, "place"))
    except ApiError as error:
        return await _page(request, dead_letters, wanted, refused=error, status=status_of(error))
    return see_other("/console/admin/dead_letters", replayed="1", type=wanted.type, consumer=wanted.consumer)


@post("/dead_letters/replay_all", guards=_ADMIN)
async def replay_all(request: AnyRequest, dead_letters: Letters) -> Response[bytes]:
    """Publish all of the filter again."""
    typed = await fields(request)
    wanted = LetterFilter(type=typed.get("type", ""), consumer=typed.get("consumer", ""))
    count = str((await dead_letters.replay_all(wanted)).replayed)
    return see_other("/console/admin/dead_letters", replayed=count, type=wanted.type, consumer=wanted.consumer)


async def _page(
    request: AnyRequest,
    dead_letters: DeadLetters,
    wanted: LetterFilter,
    *,
    before: int = 0,
    replayed: int = 0,
    **values: Any,
) -> Response[bytes]:
    page = await dead_letters.page(wanted, before or None, PAGE_SIZE)
    page_values: dict[str, Any] = {
        "letters": page.letters,
        "shown": [json.dumps(letter.event, indent=2, ensure_ascii=False) for letter in page.letters],
        "next_before": page.next_before,
        "before": before,
        "wanted": wanted,
        "types": sorted(EVENTS),
        "consumers": sorted(consumer.name for consumer in CONSUMERS),
        "replayed": replayed,
    }
    return admin_page(request, "dead_letters", **{**page_values, **values})


HANDLERS = (events_page, dead_letters_page, replay, replay_all)
