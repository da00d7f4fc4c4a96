"""A page with every component in every state, and parts that come, fail and are away."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from litestar import Request, Response, get, post

from shared.pages import Pages, pages_router
from shared.web import NotFound, Unavailable, allow, problem

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


@post("/v1/refusals", guards=[allow("train")])
async def refuse() -> Response[Any]:
    """An action that always fails, as an API says it."""
    return problem(409, "Conflict", f"the job {HOSTILE} has already completed")


@dataclass
class Forms:
    """What was posted, and with which `Idempotency-Key`; the first post is refused at its field."""

    bodies: list[Any] = field(default_factory=list[Any])
    keys: list[str] = field(default_factory=list[str])


FORMS = Forms()


@post("/v1/forms", guards=[allow("train")])
async def form(request: AnyRequest) -> Response[Any]:
    FORMS.bodies.append(await request.json())
    FORMS.keys.append(request.headers["idempotency-key"])
    if "suffix" not in FORMS.bodies[-1]:
        error = {"message": "'suffix' is missing.", "param": "suffix"}
        return Response({"error": error}, status_code=400)
    return Response({"id": "made 1"})


routes = [
    pages_router("/console/gallery", [gallery, part, away, missing, broken], PAGES, ["train"]),
    note,
    refuse,
    form,
]
