"""Which versions should be loaded where, and which of them each public name means."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from pydantic import BaseModel

from services.gateway.domain.names import fine_tuned_model, loaded_name
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
    told: bool = False
    """The job knows of it."""

    @property
    def loaded_name(self) -> str:
        return loaded_name(self.candidate)

    @property
    def model(self) -> str:
        return fine_tuned_model(self.candidate)


D = TypeVar("D", bound=Deployment)
Cause = Literal["absent", "refused", "unfit"]
"""Who is at fault for a failure: one who was not there, one who said no, or the weights, which will not change."""


def failed_attempt(deployment: D, reason: str, replica: str | None, cause: Cause, now: float) -> D:
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


@dataclass(frozen=True)
class Target:
    """What a public name means now: a base model, or the weights that engines hold under `loaded`."""

    public: str
    base: str
    loaded: str
    version: str
    candidate: Candidate | None = None


def target(deployment: Deployment, public: str) -> Target:
    """A deployment under a public name."""
    made = deployment.candidate
    return Target(public, made.base_model, deployment.loaded_name, made.version, made)


def backoff_s(attempts: int) -> float:
    """The wait after that many failures."""
    return min(LONGEST_DELAY_S, FIRST_DELAY_S * 2 ** max(0, attempts - 1))


class Alias(BaseModel):
    """A stable name that was turned back to `version`, until one that was approved after `beyond` is deployed."""

    id: str
    at: float
    version: str
    beyond: float


def lines(deployments: Iterable[D]) -> dict[str | None, list[D]]:
    """What is deployed under each alias, the oldest approval first."""
    found: dict[str | None, list[D]] = {}
    for deployment in sorted(deployments, key=_age):
        if deployment.status == "deployed":
            found.setdefault(deployment.candidate.suffix, []).append(deployment)
    return found


def current(line: Sequence[D], turned_back: Alias | None) -> D:
    """Which of an alias's versions it means: the newest approval, or the one that it was turned back to."""
    if turned_back is None or line[-1].at > turned_back.beyond:
        return line[-1]
    return next((d for d in reversed(line) if d.candidate.version == turned_back.version), line[-1])


def wanted(deployments: Iterable[Deployment], keep: int, aliases: Iterable[Alias] = ()) -> list[Deployment]:
    """What engines should hold: what waits, the newest `keep` of each alias, and the one that it means."""
    known = list(deployments)
    turned_back = {alias.id: alias for alias in aliases}
    chosen = [deployment for deployment in known if deployment.status == "pending"]
    for name, line in lines(known).items():
        meant = current(line, turned_back.get(name or ""))
        chosen += [*line[-keep:], *([meant] if meant not in line[-keep:] else [])]
    return chosen


def due(deployments: Iterable[D], alias: str, turned_back: Alias | None, now: float) -> D | None:
    """What engines that are for one alias should hold: what waits and may be tried, else what the alias means."""
    known = [deployment for deployment in deployments if deployment.candidate.suffix == alias]
    waiting = [d for d in known if d.status == "pending" and d.next_try_at <= now]
    if waiting:
        return max(waiting, key=_age)
    line = lines(known).get(alias)
    return current(line, turned_back) if line else None


class Catalog:
    """The public names: base models, fine-tuned models, and aliases."""

    def __init__(
        self, bases: Collection[str], deployments: Iterable[Deployment], aliases: Iterable[Alias] = ()
    ) -> None:
        self._targets = {base: Target(base, base, base, base) for base in bases}
        self.created = dict.fromkeys(bases, 0)
        self.parents: dict[str, str | None] = dict.fromkeys(bases, None)
        turned_back = {alias.id: alias for alias in aliases}
        for name, line in lines(deployments).items():
            for deployment in line:
                self._add(deployment, deployment.model)
            if name and name not in bases:
                self._add(current(line, turned_back.get(name)), name)

    def _add(self, deployment: Deployment, name: str) -> None:
        made = deployment.candidate
        self._targets[name] = target(deployment, name)
        self.created[name] = int(deployment.deployed_at or deployment.at)
        self.parents[name] = made.base_model

    def names(self) -> Sequence[str]:
        return tuple(self._targets)

    def find(self, name: str) -> Target | None:
        return self._targets.get(name)


def _age(deployment: Deployment) -> tuple[float, str]:
    return (deployment.at, deployment.id)
