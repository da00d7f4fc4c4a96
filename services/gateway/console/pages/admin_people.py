"""Admin, people: invitations, scopes, removal, new links, and sign-out everywhere."""

import time
from typing import Any

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromQuery

from services.gateway.access.domain.invitation import DAY_S, read_invitation, read_person_change
from services.gateway.access.service.invitations import Invitations
from services.gateway.access.service.people import People
from services.gateway.common.domain.errors import ApiError
from services.gateway.console.domain.sign_in_link import SignInLinkRequest
from services.gateway.console.pages.actions import status_of, whole_number
from services.gateway.console.pages.admin import admin_page
from services.gateway.console.service.sign_in_links import SignInLinks
from shared.pages import origin
from shared.pages.forms import fields, see_other
from shared.store import Cursor
from shared.web import allow

AnyRequest = Request[Any, Any, Any]
PeopleUseCases = NamedDependency[People]
InvitationUseCases = NamedDependency[Invitations]
PAGE_SIZE = 50
SCOPES = ("admin", "train", "review", "infer")
_ADMIN = [allow("admin")]


@get("/people", guards=_ADMIN)
async def people_page(
    request: AnyRequest,
    people: PeopleUseCases,
    invitations: InvitationUseCases,
    find: FromQuery[str] = "",
    page: FromQuery[int] = 1,
    done: FromQuery[str] = "",
) -> Response[bytes]:
    """Everybody who joined, and the newest invitations."""
    return await _page(request, people, invitations, find=find, page=max(page, 1), done=done)


@post("/people/invite", guards=_ADMIN)
async def invite(request: AnyRequest, people: PeopleUseCases, invitations: InvitationUseCases) -> Response[bytes]:
    """Invite a person; the answer is the only page that shows the link."""
    typed = await fields(request)
    wanted = {name: typed.get(name, "") for name in ("name", "language", "team")}
    days = whole_number(typed, "days", default=3)
    body = {**wanted, "scopes": await _scopes(request), "expires_in_s": days * DAY_S}
    try:
        secret, made = await invitations.create(read_invitation(body), request.state.key)
    except ApiError as error:
        return await _page(request, people, invitations, refused=error, typed=typed, status=status_of(error))
    request.state.object_id = made.id
    link = f"{origin(request)}/console/invitation?secret={secret}"
    return await _page(request, people, invitations, link=link, link_for=made.name)


@post("/people/revoke", guards=_ADMIN)
async def revoke(request: AnyRequest, people: PeopleUseCases, invitations: InvitationUseCases) -> Response[bytes]:
    """Revoke an invitation: its link stops working."""
    typed = await fields(request)
    return await _acted(request, people, invitations, typed, lambda: invitations.revoke(typed.get("id", "")), "revoked")


@post("/people/change", guards=_ADMIN)
async def change(request: AnyRequest, people: PeopleUseCases, invitations: InvitationUseCases) -> Response[bytes]:
    """Change a person's name, language, team or scopes."""
    typed = await fields(request)
    scopes = await _scopes(request)

    async def act() -> None:
        body = {name: typed.get(name, "") for name in ("name", "language", "team")}
        asked = read_person_change({**body, "scopes": scopes})
        await people.change(typed.get("id", ""), asked, request.state.key)

    return await _acted(request, people, invitations, typed, act, "changed")


@post("/people/remove", guards=_ADMIN)
async def remove(request: AnyRequest, people: PeopleUseCases, invitations: InvitationUseCases) -> Response[bytes]:
    """Remove a person with all their keys and sessions."""
    typed = await fields(request)
    caller = request.state.key
    return await _acted(
        request, people, invitations, typed, lambda: people.remove(typed.get("id", ""), caller), "removed"
    )


@post("/people/sign-out", guards=_ADMIN)
async def sign_out(request: AnyRequest, people: PeopleUseCases, invitations: InvitationUseCases) -> Response[bytes]:
    """End every session of a person."""
    typed = await fields(request)
    return await _acted(request, people, invitations, typed, lambda: people.sign_out(typed.get("id", "")), "signed_out")


@post("/people/link", guards=_ADMIN)
async def new_link(
    request: AnyRequest,
    people: PeopleUseCases,
    invitations: InvitationUseCases,
    sign_in_links: NamedDependency[SignInLinks],
) -> Response[bytes]:
    """Make a link for a person who lost theirs; it signs them in once, within a day."""
    typed = await fields(request)
    try:
        person = people.get(typed.get("id", ""))
        asked = SignInLinkRequest(key_id=person.own.id, expires_in_s=DAY_S)
        secret, _ = await sign_in_links.create(asked, request.state.key)
    except ApiError as error:
        return await _page(request, people, invitations, refused=error, typed=typed, status=status_of(error))
    request.state.object_id = person.own.id
    link = f"{origin(request)}/console/sign-in?link={secret}"
    return await _page(request, people, invitations, link=link, link_for=person.own.name)


async def _acted(
    request: AnyRequest, people: People, invitations: Invitations, typed: dict[str, str], act: Any, done: str
) -> Response[bytes]:
    request.state.object_id = typed.get("id", "")
    try:
        await act()
    except ApiError as error:
        return await _page(request, people, invitations, refused=error, typed=typed, status=status_of(error))
    return see_other("/console/admin/people", done=done)


async def _page(
    request: AnyRequest, people: People, invitations: Invitations, *, find: str = "", page: int = 1, **values: Any
) -> Response[bytes]:
    found = [p for p in people.listed() if find.lower() in f"{p.own.name} {p.own.team}".lower()]
    page_values: dict[str, Any] = {
        "people": found[(page - 1) * PAGE_SIZE : page * PAGE_SIZE],
        "count": len(found),
        "page": page,
        "more": len(found) > page * PAGE_SIZE,
        "find": find,
        "invitations": (await invitations.page(Cursor(None, PAGE_SIZE))).items,
        "scopes": SCOPES,
        "now": time.time(),
        "typed": {},
        "link": "",
        "link_for": "",
    }
    return admin_page(request, "people", **{**page_values, **values})


async def _scopes(request: AnyRequest) -> list[str]:
    return [str(scope) for scope in (await request.form()).getall("scopes", [])]


HANDLERS = (people_page, invite, revoke, change, remove, sign_out, new_link)
