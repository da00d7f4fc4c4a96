"""Sign-in with a one-time link or an API key, and sign-out."""

from typing import Any

from litestar import Request, Response, Router, get, post
from litestar.datastructures import Cookie
from litestar.di import NamedDependency
from litestar.params import FromQuery
from litestar.response import Redirect

from services.gateway.console.domain.sign_in_link import local_path
from services.gateway.console.pages import PAGES
from services.gateway.console.service.sign_in_links import SignInLinks
from shared.pages import error_pages, origin, signed_in
from shared.security import Key, NotAuthenticated
from shared.sessions import COOKIE, Sessions, check_origin
from shared.topology import SESSION_S

AnyRequest = Request[Any, Any, Any]


@get("/sign-in")
async def sign_in_page(
    request: AnyRequest,
    sign_in_links: NamedDependency[SignInLinks],
    link: FromQuery[str | None] = None,
    next: FromQuery[str | None] = None,
) -> Response[bytes]:
    """The form. A link is used up by the button and not by this page: mail programs open links before people do."""
    if link is None:
        return _form(request, wanted=next)
    try:
        key = await sign_in_links.look(link)
    except NotAuthenticated as error:
        return _form(request, wanted=next, refusal=str(error), status=401)
    return _form(request, wanted=next, link=link, name=key.name)


@post("/sign-in", status_code=303)
async def sign_in(request: AnyRequest, sign_in_links: NamedDependency[SignInLinks]) -> Response[Any]:
    """Start a session with a link or a key."""
    check_origin("POST", request.headers)
    form = await request.form()
    link, wanted = str(form.get("link", "")), str(form.get("next", ""))
    try:
        key = await sign_in_links.redeem(link) if link else _key_of(request, str(form.get("key", "")))
    except NotAuthenticated as error:
        return _form(request, wanted=wanted, refusal=str(error), status=401)
    request.state.key = key
    return signed_in_at(local_path(wanted), await session_of(request, key))


@post("/sign-out", status_code=303, guards=[signed_in()])
async def sign_out(request: AnyRequest) -> Response[Any]:
    """End this session."""
    await _sessions(request).end(request.cookies.get(COOKIE, ""))
    return _redirect("/console/sign-in", _cookie(request, "", 0))


@post("/sign-out-everywhere", status_code=303, guards=[signed_in()])
async def sign_out_everywhere(request: AnyRequest) -> Response[Any]:
    """End every session of this person, by whichever of their keys it was started."""
    person = request.state.key.person
    known: tuple[Key, ...] = request.app.state.keyring.keys()
    for key_id in {person, *(key.id for key in known if key.person == person)}:
        await _sessions(request).end_all(key_id)
    return _redirect("/console/sign-in", _cookie(request, "", 0))


async def session_of(request: AnyRequest, key: Key) -> Cookie:
    """Start a session with a key; returns its cookie."""
    return _cookie(request, await _sessions(request).start(key), SESSION_S)


def signed_in_at(path: str, cookie: Cookie) -> Response[Any]:
    """Send the browser to a page with the cookie of its session."""
    return _redirect(path, cookie)


def _form(
    request: AnyRequest, *, wanted: str | None, link: str = "", name: str = "", refusal: str = "", status: int = 200
) -> Response[bytes]:
    values = {"wanted": local_path(wanted), "link": link, "name": name, "refusal": refusal}
    return PAGES.page(request, "sign_in.html.j2", status=status, **values)


def _key_of(request: AnyRequest, secret: str) -> Key:
    return request.app.state.keyring.authenticate(f"Bearer {secret}")


def _sessions(request: AnyRequest) -> Sessions:
    return request.app.state.sessions


def _cookie(request: AnyRequest, value: str, max_age_s: int) -> Cookie:
    secure = origin(request).startswith("https:")
    return Cookie(COOKIE, value=value, max_age=max_age_s, httponly=True, samesite="strict", secure=secure)


def _redirect(path: str, cookie: Cookie) -> Response[Any]:
    return Redirect(path, status_code=303, cookies=[cookie], headers={"cache-control": "no-store"})


routes = Router(
    "/console",
    route_handlers=[sign_in_page, sign_in, sign_out, sign_out_everywhere],
    exception_handlers=error_pages(PAGES),
    include_in_schema=False,
)
