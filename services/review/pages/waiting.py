"""What waits for the reader, as a part of the home page."""

import time

from litestar import Response, get
from litestar.di import NamedDependency

from services.review.access import caller_of
from services.review.pages.rendering import PAGES, AnyRequest
from services.review.panels.assignments import Assignments
from services.review.panels.progress import Progress

READ = 50
SHOWN = 5


@get("/waiting")
async def waiting(
    request: AnyRequest, assignments: NamedDependency[Assignments], progress: NamedDependency[Progress]
) -> Response[bytes]:
    """Reviews with items that the reader may score, and reviews whose disputed items the reader decides."""
    caller = caller_of(request)
    opened = await assignments.reviews.find(status="open", newest_first="opened_at", limit=READ)
    disputed = await assignments.reviews.find(status="adjudicating", newest_first="opened_at", limit=READ)
    own = await progress.own_in(opened, caller, time.time())
    to_score = [(review, done) for review, done in zip(opened, own, strict=True) if done.left]
    to_decide = [review for review in disputed if review.adjudicated_by(caller)]
    return PAGES.fragment(request, "waiting.html.j2", to_score=to_score, to_decide=to_decide, shown=SHOWN)
