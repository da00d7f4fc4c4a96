"""What evaluator does: score a checkpoint beside its base model, and say how that went."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from services.evaluator.domain.comparison import compare
from services.evaluator.domain.production import Production
from services.evaluator.domain.results import Scored, Target, item_scores, read_lines, sample_lines
from services.evaluator.domain.suite import CannotBeScored, suite_name
from services.evaluator.ports import Evaluation, EvaluationStore, Files, ProductionStore
from services.evaluator.scorings import Scorings
from shared import telemetry
from shared.events import CheckpointSaved, Comparison, EvalDone, Failure, ModelDeployed, ModelRolledBack

_log = telemetry.logger(__name__)


@dataclass(frozen=True)
class Evaluations:
    """The use cases over evaluations. `now` gives Unix seconds."""

    store: EvaluationStore
    production: ProductionStore
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

    async def deployed(self, event: ModelDeployed) -> None:
        """Note what an alias means now."""
        if event.alias is None or await self.production.create(event.alias, Production.of(event.candidate)):
            return
        await self.production.change(event.alias, lambda known: known.deployed(event.candidate))

    async def rolled_back(self, event: ModelRolledBack) -> None:
        """Note that an alias means an earlier version again."""
        await self.production.change(event.alias, lambda known: known.rolled_back(event.version))

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
        rival = await self._rival(event)
        return await asyncio.to_thread(self._done, event, checkpoint, base, rival)

    async def _rival(self, event: CheckpointSaved) -> tuple[str, Scored] | None:
        """The version in production on the same questions; None where there is none, or it cannot be scored."""
        suffix = event.candidate.suffix
        known = await self.production.get(suffix) if suffix else None
        candidate = known.rival(event.candidate) if known else None
        if candidate is None:
            return None
        try:
            scored = await self.scorings.obtain(Target.checkpoint(candidate, event.test.artifact, self.protocol))
        except CannotBeScored as error:
            # The checkpoint's own scores stand without it.
            _log.warning("production cannot be scored", version=candidate.version, error=str(error))
            return None
        return candidate.version, scored

    def _done(
        self, event: CheckpointSaved, checkpoint: Scored, base: Scored, rival: tuple[str, Scored] | None
    ) -> EvalDone:
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
            comparisons=self._compared(mine, others, rival),
            production=rival[0] if rival else None,
            production_scores=rival[1].scores if rival else {},
            item_errors=checkpoint.item_errors,
            base_item_errors=base.item_errors,
        )

    def _compared(self, mine: bytes, base: bytes, rival: tuple[str, Scored] | None) -> tuple[Comparison, ...]:
        with_base = compare(item_scores(mine), item_scores(base), "base")
        if rival is None:
            return with_base
        return with_base + compare(item_scores(mine), item_scores(self.files.read(rival[1].answers)), "production")

    def _failed(self, event: CheckpointSaved, error: CannotBeScored) -> EvalDone:
        return EvalDone(
            candidate=event.candidate,
            suite=suite_name(event.test.artifact),
            scores={},
            base_scores={},
            samples=self.files.put_bytes(b""),
            error=Failure(code=error.code, message=str(error)),
        )
