"""What a job's event list says about each thing that happened."""

from typing import Any, Literal

from pydantic import BaseModel

from services.gateway.common.domain.ids import natural_id
from services.gateway.common.domain.model_names import fine_tuned_model
from services.gateway.fine_tuning.domain.job import reasons
from shared.events import (
    CheckpointSaved,
    EvalDone,
    ModelApproved,
    ModelDeployed,
    ModelDeploymentFailed,
    ModelRejected,
    ReviewOpened,
    Score,
    TrainingFinished,
    TrainingProgress,
    TrainingRequested,
)
from shared.events.evaluation import MAX_TASK_ERRORS
from shared.small_samples import FEW, limits_of

Level = Literal["info", "warn", "error"]


class JobEvent(BaseModel):
    """One entry. Its id is made of what it is about, so that a repeated event gives the same entry."""

    id: str
    job_id: str
    at: float = 0.0
    level: Level = "info"
    type: Literal["message", "metrics"] = "message"
    message: str
    data: dict[str, Any] = {}


def _event(job_id: str, key: str, message: str, level: Level = "info", **data: Any) -> JobEvent:
    return JobEvent(id=natural_id("ftevent", job_id, key), job_id=job_id, level=level, message=message, data=data)


def requested(event: TrainingRequested) -> JobEvent:
    return _event(event.job_id, "requested", f"Created fine-tuning job: {event.job_id}; checking {event.training_file}")


def queued(job_id: str) -> JobEvent:
    return _event(job_id, "queued", "Files validated, moving job to queued state")


def warned(job_id: str, text: str) -> JobEvent:
    return _event(job_id, f"warned/{text}", f"Before training: {text}", "warn")


def started(job_id: str) -> JobEvent:
    return _event(job_id, "started", "Fine-tuning job started")


def progress(event: TrainingProgress) -> JobEvent:
    """The figures of one step, named as OpenAI names them."""
    figures = event.metrics.model_dump(exclude_none=True)
    shown = ", ".join(f"{name.replace('_', ' ')}={v:.4g}" for name, v in figures.items() if name.endswith("_loss"))
    message = event.message or f"Step {event.step}/{event.total_steps}" + (f": {shown}" if shown else "")
    made = _event(event.job_id, f"progress/{event.natural_key()}", message)
    data = {**figures, "step": event.step, "total_steps": event.total_steps}
    return made.model_copy(update={"type": "metrics", "data": data})


def checkpoint(event: CheckpointSaved) -> JobEvent:
    made = event.candidate
    return _event(
        made.job_id,
        f"checkpoint/{made.step}",
        f"Checkpoint created at step {made.step}: {made.model_name}",
        step=made.step,
    )


def scored(event: EvalDone) -> JobEvent:
    step, job_id, key = event.candidate.step, event.candidate.job_id, f"scored/{event.natural_key()}"
    if event.error:
        return _event(job_id, key, f"Checkpoint at step {step} could not be scored: {event.error.message}", "warn")
    shown = ", ".join(f"{name} {score.value:.3f}{_base(event, name)}" for name, score in event.scores.items())
    return _event(
        job_id,
        key,
        f"Checkpoint at step {step} scored on {event.suite}: {shown}{_few_items(event)}{_not_scored(event)}",
        "warn" if event.task_errors else "info",
        step=step,
        scores=_values(event.scores),
        base_scores=_values(event.base_scores),
        task_errors={name: failure.model_dump(exclude_none=True) for name, failure in event.task_errors.items()},
    )


def _few_items(event: EvalDone) -> str:
    """What the split cannot tell, if it is small."""
    limits = limits_of(max((score.n for name, score in event.scores.items() if "." not in name), default=FEW))
    return f". {limits}" if limits else ""


def _not_scored(event: EvalDone) -> str:
    """The tasks of suites that failed, each by name."""
    if not event.task_errors:
        return ""
    named = ", ".join(f"{name} ({failure.code})" for name, failure in event.task_errors.items())
    more = "; more are in the evaluation's report" if len(event.task_errors) == MAX_TASK_ERRORS else ""
    return f". Not scored: {named}{more}"


def finished(event: TrainingFinished) -> JobEvent:
    if event.status == "succeeded":
        message = (
            f"Training finished: {event.trained_tokens} tokens in {event.duration_s:.0f} s; waiting for the verdict"
        )
        if event.stop_reason is not None:
            message += f". It ended early: {event.stop_reason}"
        return _event(event.job_id, "finished", message, checkpoints=list(event.checkpoints))
    if event.status == "cancelled":
        return cancelled(event.job_id)
    reason = event.error.message if event.error else "no reason was given"
    return failed(event.job_id, reason)


def failed(job_id: str, reason: str) -> JobEvent:
    return _event(job_id, "failed", f"The job failed: {reason}", "error")


def cancelled(job_id: str) -> JobEvent:
    return _event(job_id, "cancelled", "The job was cancelled")


def paused_or_resumed(job_id: str, paused: bool, change: int) -> JobEvent:
    """A job was paused or resumed; `change` is how often that was."""
    return _event(job_id, f"held/{change}", "The job was paused" if paused else "The job was resumed")


def review_opened(event: ReviewOpened) -> JobEvent:
    message = (
        f"Checkpoint at step {event.candidate.step} passed its gates; {event.reviewers_wanted} reviewers are asked"
    )
    return _event(event.candidate.job_id, "review", message, review_id=event.review_id, items=event.items)


def approved(event: ModelApproved) -> JobEvent:
    made, verdict = event.candidate, event.verdict
    message = f"Approved: checkpoint at step {made.step} by policy {verdict.policy}: {verdict.reason}"
    return _event(made.job_id, "approved", message, verdict=verdict.model_dump(mode="json"))


def rejected(event: ModelRejected) -> JobEvent:
    message = f"Not approved by policy {event.verdict.policy}: {reasons(event)}"
    return _event(event.job_id, "rejected", message, "error", verdict=event.verdict.model_dump(mode="json"))


def deployed(event: ModelDeployed) -> JobEvent:
    named = f" and {event.alias}" if event.alias else ""
    message = f"The job has successfully completed: {fine_tuned_model(event.candidate)}{named} served by"
    message += f" {event.replicas} replica(s) after {event.duration_s:.2f} s"
    return _event(
        event.candidate.job_id, "deployed", message, version=event.candidate.version, duration_s=event.duration_s
    )


def not_deployed(event: ModelDeploymentFailed) -> JobEvent:
    level: Level = "error" if event.permanent else "warn"
    message = f"Deployment attempt {event.attempt} failed{' for good' if event.permanent else ''}: {event.reason}"
    key = f"not-deployed/{event.permanent}/{event.reason}"
    return _event(event.candidate.job_id, key, message, level, replica=event.replica, permanent=event.permanent)


def _base(event: EvalDone, name: str) -> str:
    return f" (base {event.base_scores[name].value:.3f})" if name in event.base_scores else ""


def _values(scores: dict[str, Score]) -> dict[str, float]:
    return {name: score.value for name, score in scores.items()}
