"""`/v1/people` and `/v1/invitations`."""

import time
from typing import Any

from litestar import Request, Router, delete, get, patch, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery

from services.gateway.access.domain.invitation import (
    Invitation,
    InvitationRequest,
    PersonChange,
    read_invitation,
    read_person_change,
)
from services.gateway.access.service.invitations import Invitations
from services.gateway.access.service.people import People, Person
from services.gateway.common.api.json_body import json_body
from services.gateway.common.api.listing import listing
from services.gateway.common.api.openapi_schema import asks_for
from shared.security import Key
from shared.store import Cursor
from shared.web import allow

AnyRequest = Request[Any, Any, Any]


@get("/", sync_to_thread=False)
def listed(people: NamedDependency[People]) -> dict[str, Any]:
    """People who accepted an invitation, by name, with the ids of their keys."""
    return {"object": "list", "data": [_with_keys(person) for person in people.listed()], "has_more": False}


@patch("/{person_id:str}", operation_class=asks_for(PersonChange))
async def change(request: AnyRequest, person_id: FromPath[str], people: NamedDependency[People]) -> dict[str, Any]:
    """Change a person's name, language, scopes or team."""
    asked = read_person_change(await json_body(request))
    return _person(await people.change(person_id, asked, request.state.key))


@delete("/{person_id:str}", status_code=200)
async def removed(request: AnyRequest, person_id: FromPath[str], people: NamedDependency[People]) -> dict[str, Any]:
    """Remove a person with all their keys and sessions; their files, jobs and models stay."""
    await people.remove(person_id, request.state.key)
    return {"id": person_id, "object": "person", "deleted": True}


@post("/{person_id:str}/sign_out", status_code=200)
async def sign_out(person_id: FromPath[str], people: NamedDependency[People]) -> dict[str, Any]:
    """End every session of a person."""
    await people.sign_out(person_id)
    return {"id": person_id, "object": "person", "signed_out": True}


@get("/")
async def open_invitations(
    invitations: NamedDependency[Invitations],
    after: FromQuery[str | None] = None,
    limit: FromQuery[int | None] = None,
) -> dict[str, Any]:
    """Invitations, newest first, each with its state: open, used, expired or revoked."""
    return listing(await invitations.page(Cursor.of(after, limit, default=20, largest=100)), _invitation)


@post("/", status_code=201, operation_class=asks_for(InvitationRequest))
async def invite(request: AnyRequest, invitations: NamedDependency[Invitations]) -> dict[str, Any]:
    """Invite a person; the link is shown only here."""
    secret, made = await invitations.create(read_invitation(await json_body(request)), request.state.key)
    request.state.object_id = made.id
    return {**_invitation(made), "secret": secret, "path": f"/console/invitation?secret={secret}"}


@delete("/{invitation_id:str}", status_code=200)
async def revoke(invitation_id: FromPath[str], invitations: NamedDependency[Invitations]) -> dict[str, Any]:
    """Revoke an invitation: its link stops working."""
    return _invitation(await invitations.revoke(invitation_id))


def _with_keys(person: Person) -> dict[str, Any]:
    return {**_person(person.own), "keys": [key.id for key in person.keys]}


def _person(key: Key) -> dict[str, Any]:
    shown = {"name", "language", "team", "scopes", "created_at"}
    return {"object": "person", "id": key.id, **key.model_dump(mode="json", include=shown)}


def _invitation(invitation: Invitation) -> dict[str, Any]:
    fields = invitation.model_dump(mode="json", exclude={"at", "expires_at", "used_at", "revoked"})
    times = {"created_at": int(invitation.at), "expires_at": int(invitation.expires_at)}
    return {"object": "invitation", **fields, **times, "status": invitation.state(time.time())}


routes = Router(
    "/v1/people", route_handlers=[listed, change, removed, sign_out], guards=[allow("admin")], tags=["people"]
)
invitation_routes = Router(
    "/v1/invitations", route_handlers=[open_invitations, invite, revoke], guards=[allow("admin")], tags=["people"]
)
