"""The metric by which a job's policy ranks its checkpoints."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from services.gateway.fine_tuning.domain.configuration import SHIPPED_POLICIES, Configuration, Kind, configuration_id
from services.gateway.fine_tuning.domain.job import Job
from shared.store import Collection

UNNAMED = "automatic"
"""The policy of a job that names none, unless review is configured otherwise; its verdict tells the policy's name."""


@dataclass(frozen=True)
class RankingMetrics:
    """Looks policies up as their owners published them."""

    configurations: Collection[Configuration]

    async def of(self, jobs: Sequence[Job]) -> dict[str, str]:
        """The metric of each job, by job id, in two queries; "" where the policy did not tell it."""
        bound = await self._find("alias", {job.requested.spec.suffix for job in jobs if job.requested})
        policies = {job.id: _policy(job, bound) for job in jobs}
        known = await self._find("policy", set(policies.values()))
        told = {**SHIPPED_POLICIES, **{name: policy.rank_by for name, policy in known.items() if policy.rank_by}}
        return {job_id: told.get(name, "") for job_id, name in policies.items()}

    async def _find(self, kind: Kind, names: Iterable[str | None]) -> dict[str, Configuration]:
        ids = {configuration_id(kind, name): name for name in names if name}
        found = await self.configurations.find(id__in=sorted(ids)) if ids else []
        return {ids[each.id]: each for each in found}


def _policy(job: Job, bound: dict[str, Configuration]) -> str:
    """The verdict's policy, else that of the stable name, else the one that was asked for."""
    decided = job.approved or job.rejected
    if decided:
        return decided.verdict.policy
    spec = job.requested.spec if job.requested else None
    of_name = bound.get(spec.suffix or "") if spec else None
    return (of_name.policy if of_name else "") or (spec.policy if spec else "") or UNNAMED
