"""Admin, keys: made and shown once, limited, rotated, taken away. Without the scope `admin`, one's own keys."""

import time
from typing import Any

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromQuery

from services.gateway.access.domain import key_request
from services.gateway.access.service.keys import Keys
from services.gateway.access.service.people import People
from services.gateway.common.domain.errors import ApiError
from services.gateway.console.pages.actions import status_of, whole_number
from services.gateway.console.pages.admin import admin_page
from shared.pages.forms import fields, see_other
from shared.security import SCOPES, Key
from shared.web import allow

AnyRequest = Request[Any, Any, Any]
KeyUseCases = NamedDependency[Keys]
PAGE_SIZE = 50
DAY_S = 24 * 3600


@get("/keys")
async def keys_page(
    request: AnyRequest,
    keys: KeyUseCases,
    people: NamedDependency[People],
    find: FromQuery[str] = "",
    page: FromQuery[int] = 1,
    done: FromQuery[str] = "",
) -> Response[bytes]:
    """The keys, newest first, found by name or id."""
    return await _page(request, keys, people, find=find, page=max(page, 1), done=done)


@post("/keys")
async def make_key(request: AnyRequest, keys: KeyUseCases, people: NamedDependency[People]) -> Response[bytes]:
    """Make a key; the answer is the only page that shows its secret."""
    caller: Key = request.state.key
    typed = await fields(request)
    try:
        asked = key_request.read_request(_asked(typed, await _scopes(request)))
        if not caller.allows("admin") or asked.person_id == "me":
            made, secret = await keys.create_own(asked.model_copy(update={"person_id": ""}), caller)
        else:
            made, secret = await keys.create(asked)
    except ApiError as error:
        return await _page(request, keys, people, refused=error, typed=typed, status=status_of(error))
    request.state.object_id = made.id
    return await _page(request, keys, people, made=made, secret=secret)


@post("/keys/change", guards=[allow("admin")])
async def change_key(request: AnyRequest, keys: KeyUseCases, people: NamedDependency[People]) -> Response[bytes]:
    """Change a key's name, scopes, limits, expiry, or whether it is accepted."""
    typed = await fields(request)
    scopes = await _scopes(request)

    async def act() -> None:
        body = {**_asked(typed, scopes), "disabled": typed.get("disabled") == "yes"}
        body.pop("person_id")
        await keys.change(typed.get("id", ""), key_request.read_change(body), request.state.key)

    return await _acted(request, keys, people, typed, act, "changed")


@post("/keys/rotate", guards=[allow("admin")])
async def rotate_key(request: AnyRequest, keys: KeyUseCases, people: NamedDependency[People]) -> Response[bytes]:
    """Give a key a new secret; the old one is accepted for a day more."""
    typed = await fields(request)
    request.state.object_id = key_id = typed.get("id", "")
    try:
        made, secret = await keys.rotate(key_id, key_request.Rotation(), request.state.key)
    except ApiError as error:
        return await _page(request, keys, people, refused=error, typed=typed, status=status_of(error))
    return await _page(request, keys, people, made=made, secret=secret)


@post("/keys/delete")
async def delete_key(request: AnyRequest, keys: KeyUseCases, people: NamedDependency[People]) -> Response[bytes]:
    """Take a key away for good."""
    typed = await fields(request)
    caller: Key = request.state.key

    async def act() -> None:
        remove = keys.delete if caller.allows("admin") else keys.delete_own
        await remove(typed.get("id", ""), caller)

    return await _acted(request, keys, people, typed, act, "deleted")


async def _acted(
    request: AnyRequest, keys: Keys, people: People, typed: dict[str, str], act: Any, done: str
) -> Response[bytes]:
    request.state.object_id = typed.get("id", "")
    try:
        await act()
    except ApiError as error:
        return await _page(request, keys, people, refused=error, typed=typed, status=status_of(error))
    return see_other("/console/admin/keys", done=done, find=typed.get("find", ""))


async def _page(
    request: AnyRequest,
    keys: Keys,
    people: People,
    *,
    find: str = "",
    page: int = 1,
    typed: dict[str, str] | None = None,
    **values: Any,
) -> Response[bytes]:
    caller: Key = request.state.key
    admin = caller.allows("admin")
    # A person's own key has no secret: it is listed under people.
    known = [key for key in await keys.listed() if not key.is_own_key] if admin else keys.owned_by(caller)
    found = [key for key in known if find.lower() in f"{key.name} {key.id}".lower()]
    shown = found[(page - 1) * PAGE_SIZE : page * PAGE_SIZE]
    everybody = people.listed() if admin else []
    page_values: dict[str, Any] = {
        "keys": shown,
        "count": len(found),
        "page": page,
        "more": len(found) > page * PAGE_SIZE,
        "find": find,
        "scopes": SCOPES if admin else [scope for scope in SCOPES if caller.allows(scope)],
        "people": everybody,
        "names": {person.own.id: person.own.name for person in everybody},
        "may_make": admin or caller.id == caller.person,
        "now": time.time(),
        "typed": typed or {},
        "made": None,
        "secret": "",
    }
    return admin_page(request, "keys", **{**page_values, **values})


async def _scopes(request: AnyRequest) -> list[str]:
    return [str(scope) for scope in (await request.form()).getall("scopes", [])]


def _asked(typed: dict[str, str], scopes: list[str]) -> dict[str, Any]:
    """The body of the API's call. An empty field means that the key has no such limit."""
    limits = key_request.Limits.model_fields.keys() - {"expires_at"}
    days = typed.get("days", "")
    return {
        "name": typed.get("name", ""),
        "scopes": scopes,
        "person_id": typed.get("person_id", ""),
        **{name: whole_number(typed, name, default=-1) if typed.get(name) else None for name in limits},
        "expires_at": int(time.time()) + whole_number(typed, "days") * DAY_S if days else _kept(typed),
    }


def _kept(typed: dict[str, str]) -> int | None:
    """The expiry that the key had before it was changed."""
    return whole_number(typed, "expires_at") or None


HANDLERS = (keys_page, make_key, change_key, rotate_key, delete_key)
