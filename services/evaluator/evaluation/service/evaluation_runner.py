"""Asks one set of questions of a checkpoint, of its base model and of production."""

import asyncio
from dataclasses import dataclass

from services.evaluator.evaluation.domain.production import Production
from services.evaluator.evaluation.domain.report import TaskResult
from services.evaluator.scoring.domain.item import CannotBeScored
from services.evaluator.scoring.domain.target import Target
from services.evaluator.scoring.domain.target_scores import TargetScores
from services.evaluator.scoring.ports import Files
from services.evaluator.scoring.service.scorings import Scorings
from services.evaluator.suites.service.suite_plan import PlannedTask
from shared import telemetry
from shared.events import Candidate
from shared.store import Collection

_log = telemetry.logger(__name__)


@dataclass(frozen=True)
class EvaluationRunner:
    """Stored scores are reused."""

    scorings: Scorings
    production: Collection[Production]
    files: Files

    async def run(
        self, target: Target, baseline: Candidate | None, task: PlannedTask | None = None, name: str = ""
    ) -> TaskResult:
        """Raises `CannotBeScored` if the checkpoint or the base model cannot be scored."""
        # The base model first if it is free; else the checkpoint, while another evaluator scores the base model.
        base = await self.scorings.obtain_if_free(target.base)
        checkpoint = await self.scorings.obtain(target)
        if base is None:
            base = await self.scorings.obtain(target.base)
        production = await self._production(target, baseline)
        return await asyncio.to_thread(self._result, name, task, checkpoint, base, production)

    async def baseline(self, candidate: Candidate) -> Candidate | None:
        """The version in production under the same alias, if it has the same base model."""
        known = await self.production.get(candidate.suffix) if candidate.suffix else None
        return known.baseline(candidate) if known else None

    async def _production(self, target: Target, baseline: Candidate | None) -> TargetScores | None:
        if baseline is None:
            return None
        try:
            return await self.scorings.obtain(target.of(baseline))
        except CannotBeScored as error:
            # The checkpoint's scores are valid without it.
            _log.warning("production cannot be scored", version=baseline.version, error=str(error))
            return None

    def _result(
        self,
        name: str,
        task: PlannedTask | None,
        mine: TargetScores,
        base: TargetScores,
        production: TargetScores | None,
    ) -> TaskResult:
        return TaskResult(
            name=name,
            checkpoint=mine,
            base=base,
            lines=self.files.read(mine.answers),
            base_lines=self.files.read(base.answers),
            production=production,
            production_lines=self.files.read(production.answers) if production else None,
            weight=task.weight if task else 1.0,
            metric=task.metrics[0] if task else "",
        )
