"""A fine-tuning job as its caller sees it: the facts heard so far, in any order, and the status that follows."""

from typing import Any, Literal, TypeVar, get_args

from pydantic import BaseModel

from services.gateway.domain.names import fine_tuned_model
from shared.events import (
    Candidate,
    Failure,
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
TERMINAL: frozenset[Status] = frozenset({"succeeded", "failed", "cancelled"})


class Job(BaseModel):
    """What is known of one job. `at` and `finished_at` are in Unix seconds."""

    id: str
    at: float = 0.0
    request_digest: str = ""
    owner: str = ""
    """The id of the key that asked for it."""
    known: bool = False
    """It was heard who asked for what; until then the job is not shown."""
    requested: TrainingRequested | None = None
    queued: bool = False
    started: bool = False
    progress: TrainingProgress | None = None
    cancelled: bool = False
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
    status: Status = "validating_files"
    error: Failure | None = None
    finished_at: int | None = None

    @property
    def over(self) -> bool:
        return self.status in TERMINAL

    @property
    def candidate(self) -> Candidate | None:
        """The checkpoint that the verdict, or the review under way, is about."""
        fact = self.deployed or self.approved or self.review
        return fact.candidate if fact else None

    @property
    def model(self) -> str | None:
        """The fine-tuned model's name, once the job succeeded."""
        return self.fine_tuned_model if self.status == "succeeded" else None


J = TypeVar("J", bound=Job)


def learn(job: J, now: float, **facts: Any) -> J:
    """The job with further facts. Its status only advances, and what is over stays as it ended."""
    job = job.model_copy(update=facts)
    if job.candidate:
        job = job.model_copy(update={"fine_tuned_model": fine_tuned_model(job.candidate)})
    status = _status(job)
    if job.over or ORDER.index(status) <= ORDER.index(job.status):
        return job
    ended: dict[str, Any] = {"finished_at": int(now), "error": _error(job, status)} if status in TERMINAL else {}
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
    """Why a model was not approved: the verdict's reason and each rule that did not hold."""
    broken = [rule.reason for rule in rejected.verdict.rules if not rule.passed]
    return "; ".join([rejected.verdict.reason, *(reason for reason in broken if reason != rejected.verdict.reason)])
