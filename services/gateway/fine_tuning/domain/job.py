"""A fine-tuning job as its caller sees it: the facts known so far, and the status that follows from them."""

from collections.abc import Mapping
from typing import Any, Literal, cast, get_args

from pydantic import BaseModel

from services.gateway.common.domain.model_names import fine_tuned_model
from shared.events import (
    Candidate,
    Failure,
    Hyperparameters,
    JobEnded,
    ModelApproved,
    ModelDeployed,
    ModelDeploymentFailed,
    ModelRejected,
    ReviewOpened,
    TrainingFinished,
    TrainingProgress,
    TrainingRequested,
)

Status = Literal["validating_files", "queued", "running", "succeeded", "failed", "cancelled"]
ORDER: tuple[Status, ...] = get_args(Status)
UNLABELLED = "none"
"""The label of a job without metadata; all others hold an equals sign."""
TERMINAL: frozenset[Status] = frozenset({"succeeded", "failed", "cancelled"})


class Job(BaseModel):
    """What is known of one job. `at` and `finished_at` are in Unix seconds."""

    id: str
    at: float = 0.0
    request_digest: str = ""
    owner: str = ""
    """The id of the key that asked for it."""
    known: bool = False
    """Its request has arrived; until then the job is not shown."""
    requested: TrainingRequested | None = None
    queued: bool = False
    used: Hyperparameters | None = None
    """Its hyperparameters with a figure for each "auto", once they are decided."""
    started: bool = False
    progress: TrainingProgress | None = None
    cancelled: bool = False
    paused: bool = False
    change: int = 0
    """How often it was paused or resumed."""
    labels: list[str] = []
    """Its metadata as `key=value`, to be found by."""
    warnings: list[str] = []
    """What its caller should know about the training file."""
    bad_file: Failure | None = None
    finished: TrainingFinished | None = None
    review: ReviewOpened | None = None
    approved: ModelApproved | None = None
    rejected: ModelRejected | None = None
    deployed: ModelDeployed | None = None
    undeployed: ModelDeploymentFailed | None = None
    """Its approved version was given up."""
    fine_tuned_model: str | None = None
    """The name of the model that a verdict, or a review under way, is about."""
    result_file: str | None = None
    """The id of the file with its step metrics, once its training has ended."""
    status: Status = "validating_files"
    error: Failure | None = None
    finished_at: int | None = None
    ended_at: float | None = None
    """When it ended before the database was lost, in Unix seconds: its `job.ended` was published then."""
    traceparent: str | None = None
    """The trace of its events, set when it is created."""

    @property
    def over(self) -> bool:
        return self.status in TERMINAL

    @property
    def settled(self) -> bool:
        """No verdict or deployment will follow. A job that waits for people is over before their verdict."""
        return self.over and not (self.review and not (self.rejected or self.deployed or self.undeployed))

    @property
    def candidate(self) -> Candidate | None:
        """The checkpoint that the verdict, or the review under way, is about."""
        fact = self.deployed or self.approved or self.review
        return fact.candidate if fact else None

    @property
    def model(self) -> str | None:
        """The fine-tuned model's name, once the job succeeded."""
        return self.fine_tuned_model if self.status == "succeeded" else None


def labels(metadata: Mapping[str, str]) -> list[str]:
    """Metadata as they are searched; a key may hold what a field's name may not."""
    return [f"{key}={value}" for key, value in metadata.items()] or [UNLABELLED]


def wanted_labels(metadata: Mapping[str, str] | None) -> list[str]:
    """The labels that a job must have to be listed; None asks for those without metadata."""
    return labels(metadata or {}) if metadata != {} else []


def with_pause(job: Job, paused: bool, change: int) -> Job | None:
    """The job paused, or resumed; None if a later change is known, or the job is over."""
    if job.over or change <= job.change:
        return None
    return job.model_copy(update={"paused": paused, "change": change})


def with_facts(job: Job, now: float, **facts: Any) -> tuple[Job, list[JobEnded]]:
    """The job with further facts, and `JobEnded` if they end it."""
    after = apply_facts(job, now, **facts)
    if job.over or not after.over or after.ended_at is not None:
        return after, []
    status = cast(Literal["succeeded", "failed", "cancelled"], after.status)
    news = JobEnded(job_id=job.id, status=status, fine_tuned_model=after.model, error=after.error, owner=after.owner)
    return after, [news]


def apply_facts(job: Job, now: float, **facts: Any) -> Job:
    """The job with further facts. Its status only advances; a job that is over does not change."""
    job = job.model_copy(update=facts)
    if job.candidate:
        job = job.model_copy(update={"fine_tuned_model": fine_tuned_model(job.candidate)})
    status = _status(job)
    if job.over or ORDER.index(status) <= ORDER.index(job.status):
        return job
    ended: dict[str, Any] = (
        {"finished_at": int(job.ended_at or now), "error": _error(job, status)} if status in TERMINAL else {}
    )
    return job.model_copy(update={"status": status, **ended})


def _status(job: Job) -> Status:
    trained = job.finished.status if job.finished else None
    if job.cancelled or trained == "cancelled":
        return "cancelled"
    if job.bad_file or trained == "failed":
        return "failed"
    # People take their time: what waits for them counts as made, and may be called once they agree.
    if job.review or job.deployed:
        return "succeeded"
    if job.rejected or job.undeployed:
        return "failed"
    if job.started or trained or job.approved:
        return "running"
    return "queued" if job.queued else "validating_files"


def _error(job: Job, status: Status) -> Failure | None:
    if status != "failed":
        return None
    if job.bad_file:
        return job.bad_file
    if job.finished and job.finished.status == "failed":
        return job.finished.error or Failure(code="training_failed", message="The training failed.")
    if job.undeployed:
        return Failure(code="deployment_failed", message=job.undeployed.reason)
    assert job.rejected is not None
    return Failure(code="model_not_approved", message=reasons(job.rejected))


def reasons(rejected: ModelRejected) -> str:
    """Why a model was not approved: the verdict's reason and the failed rules that it does not name."""
    why = rejected.verdict.reason
    failed = [rule for rule in rejected.verdict.rules if not rule.passed and rule.reason not in why]
    return "; ".join([why, *(f"{rule.rule}: {rule.reason}" for rule in failed)])
