"""Which versions should be loaded where, and which of them each public name means."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel

from services.gateway.domain.names import fine_tuned_model, loaded_name
from shared.events import Candidate, ModelDeployed

FIRST_DELAY_S = 1.0
LONGEST_DELAY_S = 60.0


class Deployment(BaseModel):
    """The wish to serve an approved version, by job; `at` is when the approval was heard, in Unix seconds."""

    id: str
    at: float
    candidate: Candidate
    status: Literal["pending", "deployed"] = "pending"
    reason: str | None = None
    """Why the last attempt failed."""
    attempts: int = 0
    next_try_at: float = 0.0
    deployed_at: float | None = None
    fact: ModelDeployed | None = None
    told: bool = False
    """The job knows of it."""

    @property
    def loaded_name(self) -> str:
        return loaded_name(self.candidate)

    @property
    def model(self) -> str:
        return fine_tuned_model(self.candidate)


@dataclass(frozen=True)
class Target:
    """What a public name means now: a base model, or the weights that engines hold under `loaded`."""

    public: str
    base: str
    loaded: str
    version: str
    candidate: Candidate | None = None


def backoff_s(attempts: int) -> float:
    """The wait after that many failures."""
    return min(LONGEST_DELAY_S, FIRST_DELAY_S * 2 ** max(0, attempts - 1))


def wanted(deployments: Iterable[Deployment], keep: int) -> list[Deployment]:
    """What engines should hold: everything that waits for its deployment, and the newest `keep` of each alias."""
    kept: dict[str | None, int] = {}
    chosen: list[Deployment] = []
    for deployment in sorted(deployments, key=_age, reverse=True):
        place = kept.get(deployment.candidate.suffix, 0)
        if deployment.status == "deployed":
            kept[deployment.candidate.suffix] = place + 1
        if deployment.status == "pending" or place < keep:
            chosen.append(deployment)
    return chosen


class Catalog:
    """The public names: base models, fine-tuned models, and aliases that mean the newest approval which is served."""

    def __init__(self, bases: Sequence[str], deployments: Iterable[Deployment]) -> None:
        self._targets = {base: Target(base, base, base, base) for base in bases}
        self.created = dict.fromkeys(bases, 0)
        self.parents: dict[str, str | None] = dict.fromkeys(bases, None)
        for deployment in sorted(deployments, key=_age):
            if deployment.status == "deployed":
                self._add(deployment, deployment.model)
                # Later approvals come later in this order, whenever their deployment was done.
                if deployment.candidate.suffix and deployment.candidate.suffix not in bases:
                    self._add(deployment, deployment.candidate.suffix)

    def _add(self, deployment: Deployment, name: str) -> None:
        made = deployment.candidate
        self._targets[name] = Target(name, made.base_model, deployment.loaded_name, made.version, made)
        self.created[name] = int(deployment.deployed_at or deployment.at)
        self.parents[name] = made.base_model

    def names(self) -> Sequence[str]:
        return tuple(self._targets)

    def find(self, name: str) -> Target | None:
        return self._targets.get(name)


def _age(deployment: Deployment) -> tuple[float, str]:
    return (deployment.at, deployment.id)
