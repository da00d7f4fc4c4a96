"""A stable name as operators see it: its versions, what answers now and with which share, and why."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.gateway.inference.domain.traffic_split import AliasSplit, TrafficSplit, resolve_version
from services.gateway.serving.domain.deployment import Deployment
from services.gateway.serving.domain.lineage import Lineages, RollbackPin, current


@dataclass(frozen=True)
class VersionRow:
    """One version; `share` is its part of the requests that no rule picks, from 0 to 1."""

    deployment: Deployment
    share: float
    is_current: bool

    @property
    def version(self) -> str:
        return self.deployment.candidate.version


@dataclass(frozen=True)
class ServedName:
    """`rows` are the deployed versions, newest first; `waiting` those that are not deployed yet, or failed."""

    alias: str
    rows: Sequence[VersionRow]
    waiting: Sequence[Deployment]
    split: AliasSplit | None
    pin: RollbackPin | None
    """The rollback that holds now; None where the name means its newest version."""

    @property
    def routing(self) -> TrafficSplit:
        return self.split.now.routing if self.split else TrafficSplit()

    @property
    def current(self) -> VersionRow | None:
        return next((row for row in self.rows if row.is_current), None)

    @property
    def before(self) -> VersionRow | None:
        """The version before the current one: what a rollback goes back to."""
        rows = list(self.rows)
        at = next((index for index, row in enumerate(rows) if row.is_current), len(rows))
        return rows[at + 1] if at + 1 < len(rows) else None

    def row(self, version: str) -> VersionRow | None:
        return next((row for row in self.rows if row.version == version), None)


def served_name(
    alias: str, deployments: Sequence[Deployment], split: AliasSplit | None, pin: RollbackPin | None
) -> ServedName | None:
    """The name, from all deployments; None if no version of it is deployed, waits or failed."""
    waiting = [deployment for deployment in deployments if deployment.status in ("pending", "failed")]
    lineage = Lineages(deployments).of(alias)
    if not lineage:
        return ServedName(alias, (), waiting, split, None) if waiting else None
    now = current(lineage, pin)
    shares = _shares(split.now.routing if split else TrafficSplit(), lineage, now)
    newest = {deployment.candidate.version: deployment for deployment in lineage}
    rows = [
        VersionRow(deployment, shares.get(version, 0.0), version == now.candidate.version)
        for version, deployment in sorted(newest.items(), key=lambda item: item[1].at, reverse=True)
    ]
    holds = pin is not None and lineage[-1].at <= pin.beyond
    return ServedName(alias, rows, waiting, split, pin if holds else None)


def _shares(routing: TrafficSplit, lineage: Sequence[Deployment], now: Deployment) -> dict[str, float]:
    if not routing.split:
        return {now.candidate.version: 1.0}
    total = sum(arm.weight for arm in routing.split)
    shares: dict[str, float] = {}
    for arm in routing.split:
        version = (resolve_version(arm.version, lineage, now) or now).candidate.version
        shares[version] = shares.get(version, 0.0) + arm.weight / total
    return shares
