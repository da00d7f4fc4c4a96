"""The versions of each stable name in the order of their approval, and which of them the name means."""

from bisect import bisect_left, insort
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

    An update takes time in proportion to the versions of its alias, whatever the number of aliases.
    """

    def __init__(self, deployments: Iterable[Deployment] = ()) -> None:
        self.by_alias: dict[str | None, list[Deployment]] = {}
        self.pending: dict[str, Deployment] = {}
        for deployment in deployments:
            self.put(deployment)

    def put(self, deployment: Deployment) -> None:
        """Add a deployment; `remove` its earlier state first."""
        if deployment.status == "pending":
            self.pending[deployment.id] = deployment
        elif deployment.status == "deployed":
            insort(self.by_alias.setdefault(deployment.candidate.suffix, []), deployment, key=_age)

    def remove(self, deployment: Deployment) -> None:
        """Forget a deployment that was put."""
        self.pending.pop(deployment.id, None)
        if deployment.status == "deployed":
            alias = deployment.candidate.suffix
            lineage = self.by_alias[alias]
            del lineage[bisect_left(lineage, _age(deployment), key=_age)]
            if not lineage:
                del self.by_alias[alias]

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
