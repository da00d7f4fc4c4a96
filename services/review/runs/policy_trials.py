"""What a policy would have decided about past runs."""

from dataclasses import dataclass

from services.review.policies.domain.policy import Policy, PolicyContent
from services.review.policies.domain.verdict import Ruling, decide
from services.review.runs.domain.choice import choose
from services.review.runs.domain.run import DECIDED, Run
from services.review.runs.job_evaluations import JobEvaluations
from shared.store import Collection


@dataclass(frozen=True)
class Trial:
    """What a policy would have decided about a past run, beside what was decided.

    `proved` is False where the policy would have chosen another checkpoint, which was never asked the test split.
    """

    job_id: str
    alias: str
    decided: Ruling | None
    would: Ruling
    step: int
    proved: bool

    @property
    def differs(self) -> bool:
        """Whether the outcome would have been another one."""
        return self.decided is None or self.decided.outcome != self.would.outcome


@dataclass(frozen=True)
class Trials:
    """The use case of trying a policy; nothing is changed."""

    runs: Collection[Run]
    evaluations: JobEvaluations

    async def of(self, content: PolicyContent, limit: int) -> list[Trial]:
        """The newest decided runs under this policy."""
        policy = Policy(**content.model_dump(include=set(PolicyContent.model_fields)), name="trial")
        decided = await self.runs.find(status__in=DECIDED, newest_first="decided_at", limit=limit)
        found = [await self._trial(policy, run) for run in decided]
        return [each for each in found if each is not None]

    async def _trial(self, policy: Policy, run: Run) -> Trial | None:
        chosen = choose(policy, await self.evaluations.of_job(run.job_id))
        if chosen is None:
            return None
        evaluation, step = chosen[0], chosen[0].candidate.step
        human, proved = None, evaluation.split == "test"
        if step == run.chosen_step:
            human, proved = run.human, True
            evaluation = await self.evaluations.basis(run) or evaluation
        would = decide(policy, evaluation, human)
        return Trial(run.job_id, run.alias, run.ruling, would, step, proved)
