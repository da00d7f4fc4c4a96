"""The page of an invitation's link: a person says their name and language, and is signed in."""

from typing import Any

from litestar import Request, Response, Router, get, post
from litestar.datastructures import Cookie
from litestar.di import NamedDependency
from litestar.params import FromQuery

from services.gateway.access.domain.invitation import Invitation
from services.gateway.access.service.invitations import Invitations
from services.gateway.console.pages import PAGES
from services.gateway.console.pages.sign_in import session_of, signed_in_at
from shared.pages import error_pages
from shared.pages.forms import fields
from shared.pages.reader import LANGUAGE_COOKIE
from shared.security import NotAuthenticated
from shared.sessions import check_origin

AnyRequest = Request[Any, Any, Any]
_YEAR_S = 365 * 24 * 3600


@get("/invitation")
async def invitation_page(
    request: AnyRequest, invitations: NamedDependency[Invitations], secret: FromQuery[str] = ""
) -> Response[bytes]:
    """The form. The button uses the link up, and not this page: mail programs open links before people do."""
    try:
        found = await invitations.look(secret)
    except NotAuthenticated as error:
        return _page(request, None, "", refusal=str(error))
    return _page(request, found, secret)


@post("/invitation", status_code=303)
async def accept(request: AnyRequest, invitations: NamedDependency[Invitations]) -> Response[Any]:
    """Make the person and start their session."""
    check_origin("POST", request.headers)
    typed = await fields(request)
    try:
        person = await invitations.accept(typed.get("secret", ""), typed.get("name", ""), typed.get("language", ""))
    except NotAuthenticated as error:
        return _page(request, None, "", refusal=str(error))
    request.state.key = person
    request.state.object_id = person.id
    response = signed_in_at("/console/", await session_of(request, person))
    if person.language:
        response.set_cookie(Cookie(LANGUAGE_COOKIE, value=person.language, max_age=_YEAR_S, samesite="strict"))
    return response


def _page(request: AnyRequest, found: Invitation | None, secret: str, refusal: str = "") -> Response[bytes]:
    values: dict[str, Any] = {"invitation": found, "secret": secret, "refusal": refusal}
    return PAGES.page(request, "invitation.html.j2", status=401 if refusal else 200, **values)


routes = Router(
    "/console",
    route_handlers=[invitation_page, accept],
    exception_handlers=error_pages(PAGES),
    include_in_schema=False,
)
