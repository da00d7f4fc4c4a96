"""Parts of a job's page that the gateway knows: scores of the checkpoints, verdict, deployment."""

from typing import Any

from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery

from services.gateway.console.domain.job_scores import job_scores
from services.gateway.console.pages import PAGES
from services.gateway.console.pages.score_panel import score_panel
from services.gateway.fine_tuning.service.jobs import Jobs
from services.gateway.fine_tuning.service.ranking_metrics import RankingMetrics
from shared.rule_figures import figure_of, limit_of

AnyRequest = Request[Any, Any, Any]


@get("/jobs/{job_id:str}/scores")
async def scores(
    request: AnyRequest,
    job_id: FromPath[str],
    jobs: NamedDependency[Jobs],
    metrics: NamedDependency[RankingMetrics],
    total: FromQuery[int] = 0,
) -> Response[bytes]:
    """Each checkpoint's score with its interval over the steps, and beside base and production."""
    job, checkpoints = await jobs.all_checkpoints(job_id, request.state.key)
    found = job_scores(checkpoints, (await metrics.of([job]))[job.id])

    def picture(**words: str) -> Any:
        return score_panel(found, max(total, *(row.step for row in found.rows)), words)

    values: dict[str, Any] = {"job": job, "scores": found, "total": total, "picture": picture if found.scored else None}
    return PAGES.fragment(request, "job_scores.html.j2", **values)


@get("/jobs/{job_id:str}/verdict")
async def verdict(request: AnyRequest, job_id: FromPath[str], jobs: NamedDependency[Jobs]) -> Response[bytes]:
    """Every rule that led to the outcome, and what is served."""
    job = await jobs.get(job_id, request.state.key)
    values: dict[str, Any] = {"fact": job.approved or job.rejected, "figure_of": figure_of, "limit_of": limit_of}
    return PAGES.fragment(request, "job_verdict.html.j2", job=job, **values)
