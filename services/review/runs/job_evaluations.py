"""The evaluations of jobs: one of each checkpoint, and the proof of the chosen one."""

from dataclasses import dataclass

from services.review.runs.domain.run import Run
from shared.events import EvalDone
from shared.store import Collection, Entity

PROOF = "/proof"


class EvaluationRecord(Entity):
    """One evaluation of one checkpoint; `id` is job and step, with `/proof` for the one on the test split."""

    job_id: str
    done: EvalDone


@dataclass(frozen=True)
class JobEvaluations:
    """Stores and reads evaluations. The first one of a checkpoint counts."""

    records: Collection[EvaluationRecord]

    async def add(self, done: EvalDone, suffix: str = "") -> EvalDone:
        """The evaluation that is stored from now on."""
        name = evaluation_id(done.candidate.job_id, done.candidate.step) + suffix
        await self.records.create(EvaluationRecord(id=name, job_id=done.candidate.job_id, done=done))
        found = await self.records.get(name)
        return found.done if found else done

    async def choice(self, run: Run) -> EvalDone | None:
        """The evaluation by which the checkpoint was chosen."""
        return await self._get(run, "")

    async def basis(self, run: Run) -> EvalDone | None:
        """The evaluation that the verdict rests on: the proof, or the choice where there was nothing to choose."""
        return await self._get(run, PROOF) or await self._get(run, "")

    async def of_job(self, job_id: str) -> list[EvalDone]:
        """The evaluations between which a checkpoint is chosen."""
        found = await self.records.find(job_id=job_id)
        return [each.done for each in found if not each.id.endswith(PROOF)]

    async def _get(self, run: Run, suffix: str) -> EvalDone | None:
        if run.chosen_step is None:
            return None
        found = await self.records.get(evaluation_id(run.job_id, run.chosen_step) + suffix)
        return found.done if found else None


def evaluation_id(job_id: str, step: int) -> str:
    """Where the evaluation of a checkpoint is stored."""
    return f"{job_id}/{step}"
