"""A page with every component in every state, and parts that come, fail and are away."""

from pathlib import Path
from typing import Any

from litestar import Request, Response, get, post

from shared.pages import Pages, pages_router
from shared.web import NotFound, Unavailable, allow

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{ 7 * 7 }} 你好"
PAGES = Pages("gallery", Path(__file__).parent)
AnyRequest = Request[Any, Any, Any]


@get("/")
async def gallery(request: AnyRequest) -> Response[bytes]:
    return PAGES.page(request, "gallery.html.j2", at="data", text=HOSTILE)


@get("/part")
async def part(request: AnyRequest) -> Response[bytes]:
    return PAGES.fragment(request, "part.html.j2", text=HOSTILE)


@get("/away")
async def away() -> None:
    raise Unavailable("the evaluator does not answer")


@get("/missing")
async def missing() -> None:
    raise NotFound(f"there is no job {HOSTILE!r}")


@get("/broken")
async def broken() -> None:
    raise ZeroDivisionError


@post("/v1/notes", guards=[allow("train")], status_code=204)
async def note() -> None:
    """What a form posts to."""


routes = [pages_router("/console/gallery", [gallery, part, away, missing, broken], PAGES, ["train"]), note]
