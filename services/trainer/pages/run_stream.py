"""The page of a run, live: a stream of fragments, drawn once for all viewers of one language."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Any

from litestar import Request, get
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Stream

from services.trainer.domain.curve.losses import Losses
from services.trainer.pages import PAGES
from services.trainer.pages.own_run import own_run
from services.trainer.pages.run_values import run_values
from services.trainer.service.live_runs import LiveRuns, WatchedRun
from services.trainer.service.run_store import RunStore
from shared.pages import Reader, reader_of
from shared.security import NotAuthenticated
from shared.sessions import SessionsUnreachable
from shared.web import authenticate

AnyRequest = Request[Any, Any, Any]
CHECK_SESSION_S = 10.0
_STILL_HERE = b": still here\n\n"
_ENDED = b"event: ended\ndata: \n\n"
_HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no"}


@dataclass
class DrawnRuns:
    """The newest message of each run and language; fifty viewers cost one drawing."""

    _drawn: dict[tuple[str, str], tuple[WatchedRun, bytes]] = field(
        default_factory=dict[tuple[str, str], tuple[WatchedRun, bytes]]
    )

    def message(self, watched: WatchedRun, reader: Reader) -> bytes:
        """A server-sent event with the parts of the page that change."""
        place = (watched.run.id, reader.language)
        known, drawn = self._drawn.get(place, (None, b""))
        if known is not watched:
            values = run_values(watched.run, watched.curve, Losses.of(watched.curve))
            markup = PAGES.render(reader, "run_parts.html.j2", out_of_band=True, **values)
            drawn = b"".join(b"data: %b\n" % line for line in markup.encode().splitlines() if line) + b"\n"
            self._drawn[place] = (watched, drawn)
            if len(self._drawn) > _MOST_DRAWN:
                del self._drawn[next(iter(self._drawn))]
        return drawn


_MOST_DRAWN = 64


@get("/jobs/{job_id:str}/stream")
async def run_stream(
    request: AnyRequest,
    job_id: FromPath[str],
    store: NamedDependency[RunStore],
    live_runs: NamedDependency[LiveRuns],
    drawn_runs: NamedDependency[DrawnRuns],
) -> Stream:
    """The parts of the page that change, each time they do, until the run has ended."""
    await own_run(store, job_id, request.state.key)
    return Stream(
        _messages(request, job_id, live_runs, drawn_runs), media_type="text/event-stream", headers=dict(_HEADERS)
    )


async def _messages(
    request: AnyRequest, job_id: str, live_runs: LiveRuns, drawn_runs: DrawnRuns
) -> AsyncGenerator[bytes]:
    reader, version = reader_of(request), 0
    async with live_runs.watch(job_id) as view:
        while await _is_signed_in(request):
            watched = await view.after(version, CHECK_SESSION_S)
            if watched is None:
                yield _STILL_HERE
                continue
            version = watched.version
            yield drawn_runs.message(watched, reader)
            if watched.run.ended:
                yield _ENDED
                return


async def _is_signed_in(request: AnyRequest) -> bool:
    """A session that has ended ends the stream; the browser's next request is then refused, and the page says so."""
    try:
        await authenticate(request)
    except NotAuthenticated:
        return False
    except SessionsUnreachable:
        return True
    return True
