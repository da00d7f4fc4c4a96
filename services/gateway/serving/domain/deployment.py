"""A deployment of an approved version, and how its attempts went."""

from typing import Any, Literal

from pydantic import BaseModel

from services.gateway.common.domain.model_names import fine_tuned_model, loaded_name
from shared.events import Candidate, ModelDeployed, ModelDeploymentFailed

FIRST_DELAY_S = 1.0
LONGEST_DELAY_S = 60.0
# After so many refusals another attempt would fail too.
MAX_REFUSALS = 5


class Deployment(BaseModel):
    """A version that should be served; `id` is its job's, `at` the time of its approval in Unix seconds."""

    id: str
    at: float
    candidate: Candidate
    status: Literal["pending", "deployed", "failed", "deleted"] = "pending"
    """`failed` and `deleted` are permanent: there are no more attempts."""
    reason: str | None = None
    """Why the last attempt failed."""
    attempts: int = 0
    refusals: int = 0
    """Attempts that were refused; an engine that was down does not count."""
    next_try_at: float = 0.0
    deployed_at: float | None = None
    fact: ModelDeployed | None = None
    failure: ModelDeploymentFailed | None = None
    """The last attempt that failed."""
    missing: dict[str, str] = {}
    """When it was deployed: the replicas that were up and did not hold it, and why."""
    told: bool = False
    """The outcome is written into the job."""
    traceparent: str | None = None
    """The trace of its approval, and of its events."""
    rollout: str | None = None
    """The trace context of its rollout, to which the first answer of the version is linked."""

    @property
    def loaded_name(self) -> str:
        return loaded_name(self.candidate)

    @property
    def model(self) -> str:
        return fine_tuned_model(self.candidate)


Cause = Literal["absent", "refused", "unfit"]
"""Why an attempt failed: an engine was down, an engine refused, or the weights cannot be served."""


def failed_attempt(deployment: Deployment, reason: str, replica: str | None, cause: Cause, now: float) -> Deployment:
    """The deployment after one more failed attempt: pending until its next try, or failed permanently."""
    attempt = deployment.attempts + 1
    refusals = deployment.refusals + (cause != "absent")
    permanent = cause == "unfit" or refusals >= MAX_REFUSALS
    failure = ModelDeploymentFailed(
        candidate=deployment.candidate, reason=reason, replica=replica, attempt=attempt, permanent=permanent
    )
    outcome: dict[str, Any] = {"status": "failed"} if permanent else {"next_try_at": now + backoff_s(attempt)}
    facts = {"reason": reason, "attempts": attempt, "refusals": refusals, "failure": failure}
    return deployment.model_copy(update={**facts, **outcome})


def backoff_s(attempts: int) -> float:
    """The wait after that many failures."""
    return min(LONGEST_DELAY_S, FIRST_DELAY_S * 2 ** max(0, attempts - 1))
