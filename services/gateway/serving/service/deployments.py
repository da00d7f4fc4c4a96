"""Deployments of approved versions: created by events, finished or failed by the reconciler, reported to their jobs."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from services.gateway.fine_tuning.domain import job_event
from services.gateway.fine_tuning.domain.checkpoint import preload_candidates
from services.gateway.fine_tuning.domain.job import Job
from services.gateway.fine_tuning.service.job_projection import JobProjection
from services.gateway.serving.domain.deployment import Cause, Deployment, failed_attempt
from services.gateway.serving.ports import EngineError
from services.gateway.serving.service.adapter_loader import AdapterLoader
from shared import telemetry, tracing
from shared.artifacts import ArtifactError
from shared.events import (
    CheckpointSaved,
    ModelApproved,
    ModelDeployed,
    ModelDeploymentFailed,
    ModelRejected,
    ReviewOpened,
    TrainingFinished,
)
from shared.fact_time import handling_fact_of
from shared.store import Collection
from shared.weights.header import UnfitWeights

_log = telemetry.logger(__name__)


@dataclass(frozen=True)
class Deployments:
    """The use cases over deployments. `changed` wakes the reconciler."""

    views: Collection[Deployment]
    jobs: Collection[Job]
    projection: JobProjection
    loader: AdapterLoader
    changed: asyncio.Event

    async def checkpoint_saved(self, event: CheckpointSaved) -> None:
        """Preload the checkpoint if its training has ended: events arrive in any order."""
        await self.projection.checkpoint_saved(event)
        await self._preload(event.candidate.job_id)

    async def training_finished(self, event: TrainingFinished) -> None:
        """Preload what rules may approve when the last scores arrive; no public name means it yet."""
        await self.projection.finished(event)
        await self._preload(event.job_id)

    async def review_opened(self, event: ReviewOpened) -> None:
        """Preload the checkpoint that reviewers look at."""
        await self.projection.review_opened(event)
        self.loader.preload(event.candidate.job_id, [event.candidate])
        self.changed.set()

    async def model_rejected(self, event: ModelRejected) -> None:
        """Unload what was preloaded."""
        await self.projection.rejected(event)
        self.loader.cancel_preload(event.job_id)
        self.changed.set()

    async def model_approved(self, event: ModelApproved, approved_at: datetime) -> None:
        """Create the deployment; the reconciler does the rest.

        The time of the approval orders the versions of a name, so that a late event does not bring an old one back.
        """
        await self.projection.approved(event)
        job = await self.jobs.get(event.candidate.job_id)
        if job and job.cancelled:
            _log.info("approved after it was cancelled; not deployed", job_id=job.id)
            return
        await self.views.create(
            Deployment(id=event.candidate.job_id, at=approved_at.timestamp(), candidate=event.candidate)
        )
        self.changed.set()

    async def finish(self, deployment: Deployment, replicas: int, missing: Mapping[str, str]) -> None:
        """Record that `replicas` engines answer with the version; `missing` says why the other ones do not."""
        now = time.time()
        rollout = _rollout(deployment, {"assay.replicas": replicas})
        traceparent = tracing.traceparent_of(rollout)
        fact = ModelDeployed(
            candidate=deployment.candidate,
            alias=deployment.candidate.suffix,
            replicas=replicas,
            duration_s=round(now - deployment.at, 3),
            approved_at=deployment.at,
        )

        def decide(known: Deployment) -> tuple[Deployment, list[ModelDeployed]] | None:
            if known.status != "pending":
                return None
            done = {"status": "deployed", "deployed_at": now, "fact": fact, "reason": None, "missing": dict(missing)}
            return known.model_copy(update={**done, "rollout": traceparent}), [fact]

        with telemetry.trace(traceparent or deployment.traceparent):
            changed = await self.views.change(deployment.id, decide)
        if changed and changed.rollout == traceparent:
            # Otherwise another gateway was faster.
            rollout.end()
        version = deployment.candidate.version
        _log.info("deployed", job_id=deployment.id, version=version, duration_s=fact.duration_s, missing=dict(missing))

    async def fail(self, deployment: Deployment, errors: Mapping[str, Exception], cause: Cause | None = None) -> None:
        """Record a failed attempt, by the errors of its replicas; it is tried again unless the weights are unfit."""
        now = time.time()
        reason = "; ".join(_described(url, error) for url, error in errors.items())
        replica = next((url for url in errors if url), None)

        def decide(known: Deployment) -> tuple[Deployment, list[ModelDeploymentFailed]] | None:
            # Another gateway counted this attempt already.
            if known.status != "pending" or known.attempts != deployment.attempts or now < known.next_try_at:
                return None
            failed = failed_attempt(known, reason, replica, cause or _cause(list(errors.values())), now)
            return failed, [failed.failure] if failed.failure else []

        changed = await self.views.change(deployment.id, decide)
        if changed and changed.failure and changed.attempts == deployment.attempts + 1:
            await self.projection.log.append(job_event.not_deployed(changed.failure))
            if changed.status == "failed":
                rollout = _rollout(deployment, {})
                tracing.fail(rollout, reason)
                rollout.end()

    async def report_outcomes(self) -> None:
        """Write the outcomes into their jobs, each once, also after a crash between the two writes."""
        for deployment in await self.views.find(told=False):
            if deployment.status in ("deployed", "deleted") and deployment.fact:
                with handling_fact_of(deployment.deployed_at):
                    await self.projection.deployed(deployment.fact)
            elif deployment.status == "failed" and deployment.failure:
                await self.projection.not_deployed(deployment.failure)
            else:
                continue
            await self.views.change(deployment.id, lambda known: (known.model_copy(update={"told": True}), []))

    async def _preload(self, job_id: str) -> None:
        job = await self.jobs.get(job_id)
        if job and not job.over and job.finished and job.finished.status == "succeeded":
            made = await self.projection.checkpoints.find(job_id=job_id, saved=True)
            self.loader.preload(job_id, preload_candidates(made, job.finished))
            self.changed.set()


def _rollout(deployment: Deployment, outcome: Mapping[str, int]) -> tracing.Span:
    """The span from the approval to the outcome, over all attempts and gateways."""
    about = {
        "assay.job.id": deployment.id,
        "assay.version": deployment.candidate.version,
        "assay.model": deployment.model,
        "assay.attempts": deployment.attempts + 1,
    }
    return tracing.begun_span(
        "rollout", parent=deployment.traceparent, began_at=deployment.at, attributes={**about, **outcome}
    )


def _described(url: str, error: Exception) -> str:
    return f"{url}: {error or type(error).__name__}" if url else str(error)


def _cause(errors: Sequence[Exception]) -> Cause:
    if all(isinstance(error, UnfitWeights) for error in errors):
        return "unfit"
    refused = (EngineError, ArtifactError, UnfitWeights)
    return "refused" if any(isinstance(error, refused) for error in errors) else "absent"
