"""One set of questions, asked of a checkpoint, of its base model and of what is in production."""

import asyncio
from dataclasses import dataclass

from services.evaluator.domain.report import Asked
from services.evaluator.domain.results import Scored, Target
from services.evaluator.domain.suite import CannotBeScored
from services.evaluator.ports import Files, ProductionStore
from services.evaluator.service.scorings import Scorings
from services.evaluator.service.suitebook import Planned
from shared import telemetry
from shared.events import Candidate

_log = telemetry.logger(__name__)


@dataclass(frozen=True)
class Inquiry:
    """The use case of asking; every answer that is known already is taken from the scorings."""

    scorings: Scorings
    production: ProductionStore
    files: Files

    async def ask(self, target: Target, rival: Candidate | None, task: Planned | None = None, name: str = "") -> Asked:
        """What the three say; raises `CannotBeScored` where the checkpoint or the base model cannot be scored."""
        # The base model first if nobody is at it; else the checkpoint, while another does the base model.
        base = await self.scorings.obtain_if_free(target.base)
        checkpoint = await self.scorings.obtain(target)
        if base is None:
            base = await self.scorings.obtain(target.base)
        other = await self._rival(target, rival)
        return await asyncio.to_thread(self._asked, name, task, checkpoint, base, other)

    async def rival(self, candidate: Candidate) -> Candidate | None:
        """The version in production under the same alias, where it can be compared."""
        known = await self.production.get(candidate.suffix) if candidate.suffix else None
        return known.rival(candidate) if known else None

    async def _rival(self, target: Target, rival: Candidate | None) -> Scored | None:
        if rival is None:
            return None
        try:
            return await self.scorings.obtain(target.of(rival))
        except CannotBeScored as error:
            # The checkpoint's own scores stand without it.
            _log.warning("production cannot be scored", version=rival.version, error=str(error))
            return None

    def _asked(self, name: str, task: Planned | None, mine: Scored, base: Scored, other: Scored | None) -> Asked:
        return Asked(
            name=name,
            checkpoint=mine,
            base=base,
            lines=self.files.read(mine.answers),
            base_lines=self.files.read(base.answers),
            production=other,
            production_lines=self.files.read(other.answers) if other else None,
            weight=task.weight if task else 1.0,
            metric=task.metrics[0] if task else "",
        )
