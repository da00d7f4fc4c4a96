"""Advice on a run: how its scores moved since the last reviewed version of the name, and since production."""

from dataclasses import dataclass

from services.review.policies.domain.evidence import HumanEvidence
from services.review.runs.domain.advice import Advice, Movement, advise, movement
from services.review.runs.domain.run import DECIDED, Run
from services.review.runs.domain.standing import production_standing, standing
from services.review.runs.job_evaluations import JobEvaluations
from shared.events import EvalDone
from shared.store import Collection

PAST = 50


@dataclass(frozen=True)
class Advising:
    """The use case of advice."""

    runs: Collection[Run]
    evaluations: JobEvaluations

    async def on(self, run: Run, evaluation: EvalDone, human: HumanEvidence | None) -> Advice | None:
        """What the scores mean; None where there is nothing to compare them with."""
        past = await self._past(run)
        before = next((each for each in past if each.human), None)
        movements: list[Movement] = []
        now = standing(run, evaluation, human)
        if before is not None and (known := await self.evaluations.basis(before)) is not None:
            movements.append(movement(standing(before, known, before.human), now, "the last reviewed version"))
        if evaluation.production is not None:
            served = next((e for e in past if e.candidate and e.candidate.version == evaluation.production), None)
            then = production_standing(evaluation, served.human if served else None, run.rank_by)
            movements.append(movement(then, now, "the version in production"))
        return advise(tuple(movements))

    async def _past(self, run: Run) -> list[Run]:
        """Decided runs of the same name, the newest first; a run without a name has no predecessors."""
        if not run.alias:
            return []
        found = await self.runs.find(alias=run.alias, status__in=DECIDED, newest_first="decided_at", limit=PAST)
        return [each for each in found if each.job_id != run.job_id]
