"""A reviewer's workbook by HTTP."""

import asyncio
import time
from typing import Any

from litestar import Request, Response, Router, get, put
from litestar.di import NamedDependency
from litestar.params import FromPath
from pydantic import BaseModel

from services.review.access import caller_of
from services.review.panels.assignments import Assignments
from services.review.panels.domain.scorecard import NotAssigned, Score
from services.review.panels.progress import Progress
from services.review.workbook.reader import BadWorkbook, read
from services.review.workbook.writer import write
from shared.web import allow

AnyRequest = Request[Any, Any, Any]
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


class ImportView(BaseModel):
    """What an import changed: items with a new score, items whose score was the same, and items left to score."""

    changed: int
    same: int
    left: int


@get("/reviews/{review_id:str}/workbook")
async def workbook(
    request: AnyRequest, review_id: FromPath[str], assignments: NamedDependency[Assignments]
) -> Response[bytes]:
    """Your items as an Excel workbook, with the scores that you gave."""
    review = await assignments.review(review_id)
    mine = await assignments.mine(review_id, caller_of(request))
    content = await asyncio.to_thread(write, mine, review.policy.rubric)
    headers = {"content-disposition": f'attachment; filename="{review.job_id}.xlsx"'}
    return Response(content, media_type=XLSX, headers=headers)


@put("/reviews/{review_id:str}/workbook")
async def import_workbook(
    request: AnyRequest,
    review_id: FromPath[str],
    assignments: NamedDependency[Assignments],
    progress: NamedDependency[Progress],
) -> ImportView:
    """Store the scores of your workbook. All cells are checked first; a bad one refuses the whole workbook."""
    caller, review = caller_of(request), await assignments.review(review_id)
    rows = await asyncio.to_thread(read, await request.body(), review.policy.rubric)
    known = {each.item.id: each.score for each in await assignments.mine(review_id, caller)}
    if foreign := [row.item_id for row in rows if row.item_id not in known]:
        raise NotAssigned(f"the item {foreign[0]!r} is not one of yours in this review")
    changed = 0
    for row in rows:
        score = Score(points=row.points, comment=row.comment)
        before = known[row.item_id]
        if before is None or not before.same_as(score.model_copy(update={"discuss": before.discuss})):
            discuss = before.discuss if before else False
            await assignments.score(
                review_id, row.item_id, caller, row.points, score.model_copy(update={"discuss": discuss})
            )
            changed += 1
    own = await progress.own(review_id, caller, time.time())
    return ImportView(changed=changed, same=len(rows) - changed, left=own.left)


__all__ = ["BadWorkbook", "routes"]
routes = Router("/v1", route_handlers=[workbook, import_workbook], guards=[allow("review")], tags=["reviews"])
