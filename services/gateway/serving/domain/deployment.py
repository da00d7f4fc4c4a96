"""Which versions should be loaded where, and which of them each public name means."""

from typing import Any, Literal

from pydantic import BaseModel

from services.gateway.common.domain.model_names import fine_tuned_model, loaded_name
from shared.events import Candidate, ModelDeployed, ModelDeploymentFailed

FIRST_DELAY_S = 1.0
LONGEST_DELAY_S = 60.0
# What was refused so often, or is missing still, will not be there the next time.
MAX_REFUSALS = 5


class Deployment(BaseModel):
    """The wish to serve an approved version, by job; `at` is when the approval was heard, in Unix seconds."""

    id: str
    at: float
    candidate: Candidate
    status: Literal["pending", "deployed", "failed"] = "pending"
    """`failed` is for good: nothing is tried any more."""
    reason: str | None = None
    """Why the last attempt failed."""
    attempts: int = 0
    refusals: int = 0
    """Those attempts at which somebody refused; one who was not there does not count."""
    next_try_at: float = 0.0
    deployed_at: float | None = None
    fact: ModelDeployed | None = None
    failure: ModelDeploymentFailed | None = None
    """The last attempt that failed."""
    missing: dict[str, str] = {}
    """When it was deployed: the replicas that were up and did not hold it, and why."""
    told: bool = False
    """The outcome is written into the job."""

    @property
    def loaded_name(self) -> str:
        return loaded_name(self.candidate)

    @property
    def model(self) -> str:
        return fine_tuned_model(self.candidate)


Cause = Literal["absent", "refused", "unfit"]
"""Who is at fault for a failure: one who was not there, one who said no, or the weights, which will not change."""


def failed_attempt(deployment: Deployment, reason: str, replica: str | None, cause: Cause, now: float) -> Deployment:
    """The deployment after one more failure: it waits for its next try, or failed for good."""
    attempt = deployment.attempts + 1
    refusals = deployment.refusals + (cause != "absent")
    permanent = cause == "unfit" or refusals >= MAX_REFUSALS
    failure = ModelDeploymentFailed(
        candidate=deployment.candidate, reason=reason, replica=replica, attempt=attempt, permanent=permanent
    )
    outcome: dict[str, Any] = {"status": "failed"} if permanent else {"next_try_at": now + backoff_s(attempt)}
    told = {"reason": reason, "attempts": attempt, "refusals": refusals, "failure": failure}
    return deployment.model_copy(update={**told, **outcome})


def backoff_s(attempts: int) -> float:
    """The wait after that many failures."""
    return min(LONGEST_DELAY_S, FIRST_DELAY_S * 2 ** max(0, attempts - 1))
