"""`/v1/fine_tuning/jobs/{id}/report`: all that led to the outcome of a job."""

from collections.abc import Iterable
from typing import Any

from litestar import Request, Router, get
from litestar.di import NamedDependency
from litestar.params import FromPath

from services.gateway.fine_tuning.domain.checkpoint import Checkpoint
from services.gateway.fine_tuning.domain.job import Job
from services.gateway.fine_tuning.service.jobs import Jobs
from services.gateway.serving.domain.deployment import Deployment
from services.gateway.serving.service.deployments import Deployments
from shared.events import Score
from shared.web import allow


@get("/{job_id:str}/report")
async def report(
    request: Request[Any, Any, Any],
    job_id: FromPath[str],
    jobs: NamedDependency[Jobs],
    deployments: NamedDependency[Deployments],
) -> dict[str, Any]:
    """Assay's own: the scores side by side, the verdict with every rule, the deployment."""
    job, checkpoints = await jobs.all_checkpoints(job_id, request.state.key)
    return shown(job, checkpoints, await deployments.views.get(job_id))


def shown(view: Job, checkpoints: list[Checkpoint], deployment: Deployment | None) -> dict[str, Any]:
    """Assay's own: scores of the base model and each checkpoint side by side, the verdict, the deployment."""
    verdict = view.approved or view.rejected
    return {
        "object": "assay.report",
        "job_id": view.id,
        "status": view.status,
        "base_model": view.requested.spec.base_model if view.requested else None,
        "fine_tuned_model": view.fine_tuned_model,
        "base_scores": _base_scores(checkpoints),
        "checkpoints": [_scored(checkpoint) for checkpoint in checkpoints],
        "verdict": verdict.verdict.model_dump(mode="json") if verdict else None,
        "step": verdict.candidate.step if verdict and verdict.candidate else None,
        "review": view.review.model_dump(mode="json", exclude={"candidate"}) if view.review else None,
        "training": view.finished.model_dump(mode="json") if view.finished else None,
        "deployment": _deployment(deployment),
        "deployment_problem": deployment.reason if deployment else None,
        "deployment_failed": deployment.status == "failed" if deployment else False,
        "deployment_attempts": deployment.attempts if deployment else 0,
        "replicas_without_it": deployment.missing if deployment else {},
    }


def _base_scores(checkpoints: list[Checkpoint]) -> dict[str, Any]:
    return _scores(done.base_scores for checkpoint in checkpoints for done in checkpoint.evals.values())


def _scored(view: Checkpoint) -> dict[str, Any]:
    return {
        "step": view.step,
        "model": view.model_name,
        "version": view.candidate.version,
        "metrics": view.metrics.model_dump() if view.metrics else None,
        "scores": _scores(done.scores for done in view.evals.values()),
        "errors": {suite: done.error.model_dump() for suite, done in view.evals.items() if done.error},
    }


def _scores(suites: Iterable[dict[str, Score]]) -> dict[str, Any]:
    return {name: score.model_dump() for scores in suites for name, score in scores.items()}


def _deployment(view: Deployment | None) -> dict[str, Any] | None:
    """None until the version is served."""
    if view is None or view.fact is None:
        return None
    return {
        "version": view.candidate.version,
        "model": view.model,
        "alias": view.fact.alias,
        "replicas": view.fact.replicas,
        "duration_s": view.fact.duration_s,
        "deployed_at": view.deployed_at,
    }


routes = Router("/v1/fine_tuning/jobs", route_handlers=[report], guards=[allow("train")], tags=["fine-tuning"])
