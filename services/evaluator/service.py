"""What evaluator does: score a checkpoint beside its base model, and say how that went."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from services.evaluator.domain.comparison import compare
from services.evaluator.domain.results import Scored, Target, item_scores, read_lines, sample_lines
from services.evaluator.domain.suite import CannotBeScored, suite_name
from services.evaluator.ports import Evaluation, EvaluationStore, Files
from services.evaluator.scorings import Scorings
from shared import telemetry
from shared.events import CheckpointSaved, EvalDone, Failure

_log = telemetry.logger(__name__)


@dataclass(frozen=True)
class Evaluations:
    """The use cases over evaluations. `now` gives Unix seconds."""

    store: EvaluationStore
    scorings: Scorings
    files: Files
    protocol: str
    """Tells apart ways of asking and measuring."""
    now: Callable[[], float] = time.time

    async def evaluate(self, event: CheckpointSaved) -> None:
        """Score a checkpoint once. What can never be scored is said too, as a failure."""
        entity_id = event.natural_key()
        if await self.store.get(entity_id) is not None:
            return
        _log.info("evaluating", step=event.candidate.step)
        try:
            done = await self._evaluate(event)
        except CannotBeScored as error:
            done = await asyncio.to_thread(self._failed, event, error)
        candidate = event.candidate
        evaluation = Evaluation(
            id=entity_id, job_id=candidate.job_id, step=candidate.step, evaluated_at=self.now(), done=done
        )
        await self.store.create(evaluation, [done])
        scores = {name: score.value for name, score in done.scores.items()}
        _log.info("evaluated", step=candidate.step, scores=scores, error=done.error and done.error.message)

    async def get(self, job_id: str, step: int) -> Evaluation | None:
        return await self.store.get(f"{job_id}/{step}")

    async def of_job(self, job_id: str) -> list[Evaluation]:
        """A job's evaluations in the order of their steps."""
        return sorted(await self.store.of_job(job_id), key=lambda evaluation: evaluation.step)

    async def samples(self, evaluation: Evaluation, limit: int) -> list[dict[str, Any]]:
        """The first questions with both answers and their scores."""
        return read_lines(await asyncio.to_thread(self.files.read, evaluation.done.samples), limit)

    async def _evaluate(self, event: CheckpointSaved) -> EvalDone:
        target = Target.checkpoint(event.candidate, event.test.artifact, self.protocol)
        # The base model first if nobody is at it; else the checkpoint, while another does the base model.
        base = await self.scorings.obtain_if_free(target.base)
        checkpoint = await self.scorings.obtain(target)
        if base is None:
            base = await self.scorings.obtain(target.base)
        return await asyncio.to_thread(self._done, event, checkpoint, base)

    def _done(self, event: CheckpointSaved, checkpoint: Scored, base: Scored) -> EvalDone:
        mine, others = self.files.read(checkpoint.answers), self.files.read(base.answers)
        return EvalDone(
            candidate=event.candidate,
            suite=suite_name(event.test.artifact),
            scores=checkpoint.scores,
            base_scores=base.scores,
            samples=self.files.put_bytes(sample_lines(mine, others)),
            duration_s=checkpoint.duration_s,
            intervals=checkpoint.intervals,
            base_intervals=base.intervals,
            comparisons=compare(item_scores(mine), item_scores(others), "base"),
            item_errors=checkpoint.item_errors,
            base_item_errors=base.item_errors,
        )

    def _failed(self, event: CheckpointSaved, error: CannotBeScored) -> EvalDone:
        return EvalDone(
            candidate=event.candidate,
            suite=suite_name(event.test.artifact),
            scores={},
            base_scores={},
            samples=self.files.put_bytes(b""),
            error=Failure(code=error.code, message=str(error)),
        )
