"""The versions of each stable name in the order of their approval, and which of them the name means."""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence

from pydantic import BaseModel

from services.gateway.serving.domain.deployment import Deployment


class RollbackPin(BaseModel):
    """A stable name that was rolled back to `version`, until a version approved after `beyond` is deployed."""

    id: str
    at: float
    version: str
    beyond: float


class Lineages:
    """The deployed versions of each alias, the oldest approval first, and the deployments that are pending.

    It follows single changes, each of which costs as much as its alias has versions, whatever the number of aliases.
    A deployment keeps its alias and the time of its approval.
    """

    def __init__(self, deployments: Iterable[Deployment] = ()) -> None:
        self.by_alias: dict[str | None, list[Deployment]] = {}
        self.pending: dict[str, Deployment] = {}
        for deployment in deployments:
            self.put(deployment)

    def put(self, deployment: Deployment) -> None:
        """Add a deployment, or replace it by its newer state."""
        alias, age = deployment.candidate.suffix, _age(deployment)
        lineage = self.by_alias.setdefault(alias, [])
        place = bisect_left(lineage, age, key=_age)
        known = place < len(lineage) and lineage[place].id == deployment.id
        lineage[place : place + known] = [deployment] if deployment.status == "deployed" else []
        if not lineage:
            del self.by_alias[alias]
        self.pending.pop(deployment.id, None)
        if deployment.status == "pending":
            self.pending[deployment.id] = deployment

    def of(self, alias: str | None) -> Sequence[Deployment]:
        """The deployed versions of one alias."""
        return self.by_alias.get(alias, [])

    def wanted(self, keep: int, pins: Mapping[str, RollbackPin]) -> list[Deployment]:
        """What engines should hold: pending versions, and of each alias the newest `keep` and the one that it means."""
        chosen = list(self.pending.values())
        for alias, lineage in self.by_alias.items():
            newest, resolved = lineage[-keep:], current(lineage, pins.get(alias or ""))
            chosen += newest if resolved in newest else [*newest, resolved]
        return chosen


def current(lineage: Sequence[Deployment], pin: RollbackPin | None) -> Deployment:
    """The version that an alias means: the newest approval, or the one that it is pinned to."""
    if pin is None or lineage[-1].at > pin.beyond:
        return lineage[-1]
    return next((d for d in reversed(lineage) if d.candidate.version == pin.version), lineage[-1])


def due(deployments: Iterable[Deployment], alias: str, pin: RollbackPin | None, now: float) -> Deployment | None:
    """The version that a dedicated pool should hold: a pending one that may be tried, else the one the alias means."""
    known = [deployment for deployment in deployments if deployment.candidate.suffix == alias]
    waiting = [d for d in known if d.status == "pending" and d.next_try_at <= now]
    if waiting:
        return max(waiting, key=_age)
    lineage = Lineages(known).of(alias)
    return current(lineage, pin) if lineage else None


def _age(deployment: Deployment) -> tuple[float, str]:
    return (deployment.at, deployment.id)
