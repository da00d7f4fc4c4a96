"""The playground: chat with one or two models, the request as code, and a blind vote."""

import time
from typing import Any

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromQuery
from pydantic import ValidationError

from services.gateway.common.domain.validation import bad_request
from services.gateway.console.domain.blind_vote import BlindVote
from services.gateway.console.pages import PAGES
from services.gateway.console.pages.actions import status_of
from services.gateway.console.service.preferences import Preferences
from services.gateway.console.service.serving_overview import ServingOverviews
from services.gateway.events.domain import posted_event
from services.gateway.events.service.publisher import EventPublisher
from services.gateway.serving.domain.catalog import Target
from shared.pages.forms import fields
from shared.web import allow

AnyRequest = Request[Any, Any, Any]
OFFERED = 200
"""The lists of models offer so many; any other name can be typed."""


@get("/playground", guards=[allow("infer")])
async def playground(
    request: AnyRequest,
    serving: NamedDependency[ServingOverviews],
    preferences: NamedDependency[Preferences],
    a: FromQuery[str] = "",
    b: FromQuery[str] = "",
    mode: FromQuery[str] = "one",
) -> Response[bytes]:
    """The page; `mode` is one, two or blind."""
    catalog = serving.directory.catalog
    names = sorted(catalog.names(), key=lambda name: (_order(catalog.find(name), name), name))
    first = a or (names[0] if names else "")
    target = catalog.find(first)
    beside = b or (target.base if target and target.candidate else next((n for n in names if n != first), ""))
    values: dict[str, Any] = {
        "models": names[:OFFERED],
        "a": first,
        "b": beside,
        "mode": mode if mode in ("one", "two", "blind") else "one",
        "targets": [found for name in dict.fromkeys((first, beside)) if (found := catalog.find(name))],
        "preferences": mode == "blind" and await preferences.exist(request.state.key),
        "unknown": [name for name in (first, beside) if name and catalog.find(name) is None],
    }
    return PAGES.page(request, "playground.html.j2", at="serve", **values)


@post("/playground/vote", guards=[allow("infer")], status_code=202)
async def vote(
    request: AnyRequest, publisher: NamedDependency[EventPublisher], preferences: NamedDependency[Preferences]
) -> Response[bytes]:
    """Record a vote as feedback on both answers, and as a preference where one of them is better."""
    key = request.state.key
    try:
        given = BlindVote.model_validate(await fields(request))
    except ValidationError as error:
        refused = bad_request(error)
        return PAGES.fragment(
            request,
            "playground_vote.html.j2",
            status=status_of(refused),
            refused=refused.message,
            feedback=(),
            kept=None,
        )
    feedback = given.feedback()
    for each in feedback:
        body = {"type": each.type, "data": each.model_dump(mode="json")}
        await publisher.post(posted_event.read(body, key), key)
    if preference := given.preference(key.person, time.time()):
        await preferences.keep(preference)
    values: dict[str, Any] = {"feedback": feedback, "kept": preference, "refused": ""}
    return PAGES.fragment(request, "playground_vote.html.j2", status=202, **values)


def _order(target: Target | None, name: str) -> int:
    """Stable names first, then base models, then single versions."""
    if target is None or target.candidate is None:
        return 1
    return 0 if target.candidate.suffix == name else 2
