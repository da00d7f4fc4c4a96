"""The evaluated checkpoints, from which a comparison is chosen."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.params import Parameter

from services.evaluator.evaluation.domain.evaluation import Evaluation
from services.evaluator.evaluation.domain.unread_answers import UnreadWarning, unread_warnings
from services.evaluator.evaluation.service.evaluations import Evaluations
from services.evaluator.pages import PAGES
from services.evaluator.pages.models import MAX_SHOWN
from services.evaluator.scoring.domain.metrics import main_metric
from shared.events import Comparison, Interval, Score
from shared.store import Cursor, CursorError
from shared.web import NotFound

AnyRequest = Request[Any, Any, Any]
PAGE_SIZE = 25


@dataclass(frozen=True)
class EvaluatedCheckpoint:
    """One line of the list. `metric` is the one that stands for the whole evaluation; None if nothing was measured."""

    id: str
    job_id: str
    step: int
    name: str | None
    base_model: str
    evaluated_at: float
    error: str | None
    failed_tasks: tuple[str, ...]
    metric: str | None
    score: Score | None
    interval: Interval | None
    base: Score | None
    against_base: Comparison | None
    warnings: tuple[UnreadWarning, ...]
    split: Literal["validation", "test"]

    @property
    def suite(self) -> str:
        """The suite of the metric; empty if the metric is of the split."""
        return (self.metric or "").rpartition(".")[0].partition(".")[0]

    @property
    def measured(self) -> tuple[str | None, str]:
        """The metric and the questions on which it was measured."""
        return self.metric, self.suite or self.split

    @classmethod
    def of(cls, evaluation: Evaluation) -> "EvaluatedCheckpoint":
        done = evaluation.done
        metric = main_metric(list(done.scores))
        tests = {each.metric: each for each in done.comparisons if each.against == "base"}
        return cls(
            id=evaluation.id,
            job_id=evaluation.job_id,
            step=evaluation.step,
            name=done.candidate.suffix,
            base_model=done.candidate.base_model,
            evaluated_at=evaluation.evaluated_at,
            error=done.error.message if done.error else None,
            failed_tasks=tuple(done.task_errors),
            metric=metric,
            score=done.scores.get(metric or ""),
            interval=done.intervals.get(metric or ""),
            base=done.base_scores.get(metric or ""),
            against_base=tests.get(metric or ""),
            warnings=tuple(unread_warnings(done)),
            split=done.split,
        )


@get("/")
async def checkpoints(
    request: AnyRequest,
    evaluations: NamedDependency[Evaluations],
    of: Annotated[list[str] | None, Parameter(max_items=100)] = None,
    job: Annotated[str, Parameter(max_length=100)] = "",
    after: Annotated[str, Parameter(max_length=200)] = "",
) -> Response[bytes]:
    """The newest evaluations of this person, of everybody for an administrator; those in `of` stay chosen."""
    key = request.state.key
    # A job's id begins with "ftjob-"; everything else is the stable name of a model.
    filters: dict[str, Any] = {"job_id" if job.startswith("ftjob-") else "done__candidate__suffix": job} if job else {}
    if not key.allows("admin"):
        filters["done__candidate__owner__in"] = [key.id, key.person]
    try:
        found = await evaluations.store.page(Cursor(after or None, PAGE_SIZE), by="evaluated_at", **filters)
    except CursorError as error:
        raise NotFound(str(error)) from None
    rows = [EvaluatedCheckpoint.of(each) for each in found.items]
    chosen = list(dict.fromkeys(of or []))
    measured = {row.measured for row in rows if row.metric}
    values: dict[str, Any] = {
        "rows": rows,
        "same": next(row for row in rows if row.metric) if len(measured) == 1 else None,
        "chosen": chosen,
        "elsewhere": [each for each in chosen if each not in {row.id for row in rows}],
        "job": job,
        "after": after,
        "more": rows[-1].id if found.has_more else "",
        "most": MAX_SHOWN,
    }
    return PAGES.page(request, "checkpoints.html.j2", at="evaluate", **values)
