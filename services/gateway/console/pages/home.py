"""Home: the line with live counts, what is wrong, the newest jobs."""

from typing import Any

from litestar import Request, Response, get
from litestar.di import NamedDependency

from services.gateway.console.pages import PAGES
from services.gateway.console.service.overview import COUNTED, Overviews

AnyRequest = Request[Any, Any, Any]


@get("/")
async def home(request: AnyRequest, overviews: NamedDependency[Overviews]) -> Response[bytes]:
    """The page, for everybody who is signed in."""
    overview = await overviews.of(request.state.key)
    return PAGES.page(request, "home.html.j2", at="home", overview=overview, counted=COUNTED)


@get("/home/line")
async def line(request: AnyRequest, overviews: NamedDependency[Overviews]) -> Response[bytes]:
    """What changes on the page, asked again every few seconds while the tab is visible."""
    overview = await overviews.of(request.state.key)
    return PAGES.fragment(request, "home_live.html.j2", overview=overview, counted=COUNTED)
