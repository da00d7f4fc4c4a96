"""Checkpoints that were evaluated: found by job and step, and offered to choose from."""

from dataclasses import dataclass

from services.review.ownership import Caller
from services.review.runs.domain.run import Run, UnknownRun
from services.review.runs.job_evaluations import JobEvaluations
from shared.events import Candidate
from shared.store import Collection

MAX_OTHER_JOBS = 10


@dataclass(frozen=True)
class OfferedCheckpoint:
    """One checkpoint to choose. `chosen`: it is the one that its job's verdict is about."""

    job_id: str
    step: int
    chosen: bool


@dataclass(frozen=True)
class Checkpoints:
    """Finds checkpoints of all jobs."""

    runs: Collection[Run]
    evaluations: JobEvaluations

    async def of(self, job_id: str, step: int, caller: Caller) -> Candidate:
        """A checkpoint of a job that belongs to the caller; raises `UnknownRun`."""
        found = await self.evaluations.of_checkpoint(job_id, step)
        if found is None or not caller.owns(found.candidate.owner):
            raise UnknownRun(f"no checkpoint of step {step} of a job {job_id!r} of yours was evaluated")
        return found.candidate

    async def in_production(self, job_id: str) -> Candidate | None:
        """The version in production beside which the job's checkpoint was evaluated."""
        run = await self.runs.get(job_id)
        basis = await self.evaluations.basis(run) if run else None
        return basis.production_candidate if basis else None

    async def offered(self, job_id: str, caller: Caller) -> list[OfferedCheckpoint]:
        """The other checkpoints of a job, then the chosen ones of the newest jobs of the same name."""
        run = await self.runs.get(job_id)
        if run is None:
            return []
        own = [OfferedCheckpoint(job_id, step, chosen=False) for step in run.evaluated_steps if step != run.chosen_step]
        newest = await self.runs.find(alias=run.alias, newest_first="heard_at", limit=MAX_OTHER_JOBS + 1)
        others = [
            OfferedCheckpoint(other.job_id, other.chosen_step, chosen=True)
            for other in (newest if run.alias else [])
            if other.job_id != job_id and other.chosen_step is not None and caller.owns(other.owner)
        ]
        return [*own, *others]
