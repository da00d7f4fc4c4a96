"""The evaluations of jobs: one of each checkpoint, and the proof of the chosen one."""

from dataclasses import dataclass

from services.review.runs.domain.run import Run
from shared.events import EvalDone, EvaluationAnswered
from shared.store import Collection, Entity

PROOF = "/proof"


class EvaluationRecord(Entity):
    """One evaluation of one checkpoint; `id` is job and step, with `/proof` for the one on the test split."""

    job_id: str
    done: EvalDone


class AnswerRecord(Entity):
    """The answers to an evaluation that a job needs; they may arrive before the job needs them."""

    answered: EvaluationAnswered


@dataclass(frozen=True)
class JobEvaluations:
    """Stores and reads evaluations. The first one of a checkpoint counts."""

    records: Collection[EvaluationRecord]
    answers: Collection[AnswerRecord]

    async def keep_answer(self, answered: EvaluationAnswered) -> None:
        await self.answers.create(AnswerRecord(id=answered.evaluation_id, answered=answered))

    async def answer(self, evaluation_id: str) -> EvaluationAnswered | None:
        """The answers to an evaluation, if they have arrived."""
        found = await self.answers.get(evaluation_id)
        return found.answered if found else None

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

    async def of_checkpoint(self, job_id: str, step: int) -> EvalDone | None:
        """The first evaluation of a checkpoint."""
        found = await self.records.get(evaluation_id(job_id, step))
        return found.done if found else None

    async def _get(self, run: Run, suffix: str) -> EvalDone | None:
        if run.chosen_step is None:
            return None
        found = await self.records.get(evaluation_id(run.job_id, run.chosen_step) + suffix)
        return found.done if found else None


def evaluation_id(job_id: str, step: int) -> str:
    """Where the evaluation of a checkpoint is stored."""
    return f"{job_id}/{step}"
