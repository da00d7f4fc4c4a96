"""Asks the tasks of suites of a checkpoint, of its base model and of production."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.evaluator.evaluation.domain.evaluation import Progress
from services.evaluator.evaluation.domain.report import TaskResult
from services.evaluator.evaluation.service.evaluation_runner import EvaluationRunner
from services.evaluator.evaluation.service.job_rubrics import JobRubrics
from services.evaluator.evaluation.service.suite_outcome import SuiteOutcome
from services.evaluator.scoring.domain.item import CannotBeScored
from services.evaluator.scoring.domain.target import Target
from services.evaluator.suites.service.suite_plan import PlannedTask, SuitePlan
from shared.events import Artifact, Candidate, Failure
from shared.store import Collection

Outcomes = list[tuple[SuitePlan, SuiteOutcome]]


@dataclass(frozen=True)
class _Asked:
    """Who answers the tasks of all suites, and the rubric by which a judge rates."""

    target: Target
    baseline: Candidate | None
    rubric: Artifact | None


@dataclass(frozen=True)
class SuiteRunner:
    """`judge` is the model that judges answers, empty if there is none."""

    runner: EvaluationRunner
    progress: Collection[Progress]
    rubrics: JobRubrics
    judge: str = ""

    async def run(
        self,
        plans: Sequence[SuitePlan],
        target: Target,
        candidate: Candidate,
        baseline: Candidate | None,
        progress: Progress,
    ) -> Outcomes:
        """The results and failures of each suite's tasks. A failed task does not affect the others."""
        rated = any(task.rated for plan in plans for task in plan.tasks)
        asked = _Asked(target, baseline, await self.rubrics.of_job(candidate.job_id) if rated else None)
        found: Outcomes = []
        for plan in plans:
            outcome = SuiteOutcome()
            for task in plan.tasks:
                name = f"{plan.name}.{task.name}"
                progress = await self.report_progress(progress, name, await self._ask(task, name, asked, outcome))
            found.append((plan, outcome))
        return found

    async def report_progress(self, progress: Progress, name: str, result: TaskResult | None) -> Progress:
        """Store a task's scores; a failed task no longer waits either."""
        scores = progress.scores if result is None else {**progress.scores, name: result.checkpoint.scores}
        waiting = tuple(each for each in progress.waiting if each != name)
        progress = progress.model_copy(update={"scores": scores, "waiting": waiting})
        await self.progress.put(progress)
        return progress

    async def _ask(self, task: PlannedTask, name: str, asked: _Asked, outcome: SuiteOutcome) -> TaskResult | None:
        """Add a task's result or failure to the outcome; None if it failed."""
        try:
            target = task.of(asked.target, self.judge, asked.rubric)
            result = await self.runner.run(target, asked.baseline, task, name)
        except CannotBeScored as error:
            outcome.failures[name] = Failure(code=error.code, message=str(error))
            return None
        outcome.results.append(result)
        return result
