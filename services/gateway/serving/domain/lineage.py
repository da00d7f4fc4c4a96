"""The versions of each stable name in the order of their approval, and which of them the name means."""

from collections.abc import Iterable, Sequence

from pydantic import BaseModel

from services.gateway.serving.domain.deployment import Deployment


class RollbackPin(BaseModel):
    """A stable name that was rolled back to `version`, until a version approved after `beyond` is deployed."""

    id: str
    at: float
    version: str
    beyond: float


def lineages(deployments: Iterable[Deployment]) -> dict[str | None, list[Deployment]]:
    """The deployed versions of each alias, the oldest approval first."""
    found: dict[str | None, list[Deployment]] = {}
    for deployment in sorted(deployments, key=_age):
        if deployment.status == "deployed":
            found.setdefault(deployment.candidate.suffix, []).append(deployment)
    return found


def current(lineage: Sequence[Deployment], pin: RollbackPin | None) -> Deployment:
    """The version that an alias means: the newest approval, or the one that it is pinned to."""
    if pin is None or lineage[-1].at > pin.beyond:
        return lineage[-1]
    return next((d for d in reversed(lineage) if d.candidate.version == pin.version), lineage[-1])


def wanted(deployments: Iterable[Deployment], keep: int, aliases: Iterable[RollbackPin] = ()) -> list[Deployment]:
    """What engines should hold: pending versions, and of each alias the newest `keep` and the one that it means."""
    known = list(deployments)
    pins = {alias.id: alias for alias in aliases}
    chosen = [deployment for deployment in known if deployment.status == "pending"]
    for name, lineage in lineages(known).items():
        resolved = current(lineage, pins.get(name or ""))
        chosen += [*lineage[-keep:], *([resolved] if resolved not in lineage[-keep:] else [])]
    return chosen


def due(deployments: Iterable[Deployment], alias: str, pin: RollbackPin | None, now: float) -> Deployment | None:
    """The version that a dedicated pool should hold: a pending one that may be tried, else the one the alias means."""
    known = [deployment for deployment in deployments if deployment.candidate.suffix == alias]
    waiting = [d for d in known if d.status == "pending" and d.next_try_at <= now]
    if waiting:
        return max(waiting, key=_age)
    lineage = lineages(known).get(alias)
    return current(lineage, pin) if lineage else None


def _age(deployment: Deployment) -> tuple[float, str]:
    return (deployment.at, deployment.id)
