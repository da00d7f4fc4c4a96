"""Evaluates each checkpoint beside its base model, and publishes the result."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.evaluator.evaluation.domain import report
from services.evaluator.evaluation.domain.contamination import TrainingPrompts
from services.evaluator.evaluation.domain.evaluation import Evaluation, Progress
from services.evaluator.evaluation.domain.production import Production
from services.evaluator.evaluation.domain.report import TaskResult
from services.evaluator.evaluation.service.evaluation_runner import EvaluationRunner
from services.evaluator.evaluation.service.evaluation_span import evaluation_span
from services.evaluator.evaluation.service.suite_outcome import SuiteOutcome, asked_split, evaluation_name, scores_of
from services.evaluator.evaluation.service.suite_runner import SuiteRunner
from services.evaluator.scoring.domain.answer import read_lines, sample_lines
from services.evaluator.scoring.domain.item import CannotBeScored, read_items
from services.evaluator.scoring.domain.target import Target
from services.evaluator.scoring.ports import Files
from services.evaluator.suites.service.suite_catalog import SuiteCatalog
from services.evaluator.suites.service.suite_plan import SuitePlan
from shared import telemetry, tracing
from shared.artifacts import ArtifactError
from shared.bounds import BoundsError, bounded
from shared.events import (
    Artifact,
    Candidate,
    CheckpointSaved,
    Contamination,
    EvalDone,
    Failure,
    ModelDeployed,
    ModelRolledBack,
)
from shared.store import Collection, Decision

_log = telemetry.logger(__name__)


@dataclass(frozen=True)
class Evaluations:
    """`now` returns Unix seconds."""

    store: Collection[Evaluation]
    production: Collection[Production]
    runner: EvaluationRunner
    suite_runner: SuiteRunner
    suite_catalog: SuiteCatalog
    files: Files
    protocol: str
    """Identifies the way of asking and measuring."""
    now: Callable[[], float] = time.time

    async def evaluate(self, event: CheckpointSaved) -> None:
        """Score a checkpoint once. A permanent failure is published too."""
        entity_id = event.natural_key()
        train = event.train.artifact if event.train else None
        if (known := await self.store.get(entity_id)) is not None:
            if known.train != train:
                # It was restored from its `eval.done`, which does not name the training rows.
                await self.store.change(entity_id, lambda one: (one.model_copy(update={"train": train}), ()))
            return
        _log.info("evaluating", step=event.candidate.step)
        with evaluation_span(entity_id, [event.candidate]) as span:
            try:
                done = await self._evaluate(event)
            except CannotBeScored as error:
                done = await asyncio.to_thread(self._failed, event, error)
                tracing.fail(span, str(error))
        job_id, step, now = event.candidate.job_id, event.candidate.step, self.now()
        evaluation = Evaluation(id=entity_id, job_id=job_id, step=step, evaluated_at=now, done=done, train=train)
        await self.store.create(evaluation, [done])
        scores = {name: score.value for name, score in done.scores.items()}
        _log.info("evaluated", step=step, scores=scores, error=done.error and done.error.message)

    async def deployed(self, event: ModelDeployed, at: datetime) -> None:
        """Store the new version of an alias."""
        if event.alias is not None:
            await self._change(event.alias, lambda known: known.deployed(event.candidate, at.timestamp()))

    async def rolled_back(self, event: ModelRolledBack, at: datetime) -> None:
        """Store that an alias points to an earlier version again."""
        await self._change(event.alias, lambda known: known.rolled_back(event.version, at.timestamp()))

    async def get(self, job_id: str, step: int) -> Evaluation | None:
        return await self.by_id(f"{job_id}/{step}")

    async def by_id(self, evaluation_id: str) -> Evaluation | None:
        """An evaluation with all its scores, also those that the event had no room for."""
        evaluation = await self.store.get(evaluation_id)
        return None if evaluation is None else await asyncio.to_thread(self._complete, evaluation)

    async def progress_of(self, job_id: str, step: int) -> Progress | None:
        """The progress of a running or finished evaluation."""
        return await self.suite_runner.progress.get(f"{job_id}/{step}")

    async def of_job(self, job_id: str) -> list[Evaluation]:
        """A job's evaluations by step."""
        found = sorted(await self.store.find(job_id=job_id), key=lambda evaluation: evaluation.step)
        return [await asyncio.to_thread(self._complete, evaluation) for evaluation in found]

    async def samples(self, evaluation: Evaluation, limit: int | None, task: str = "") -> list[dict[str, Any]] | None:
        """The first questions with all answers and their scores; None if there is no such task."""
        done = evaluation.done
        samples = done.task_samples.get(task) if task else done.samples
        return None if samples is None else read_lines(await asyncio.to_thread(self.files.read, samples), limit)

    async def _evaluate(self, event: CheckpointSaved) -> EvalDone:
        target = Target.checkpoint(event.candidate, asked_split(event).artifact, self.protocol)
        baseline = await self.runner.baseline(event.candidate)
        candidate = event.candidate
        plans = await self.suite_catalog.plans(candidate.job_id, candidate.suite, candidate.owner)
        waiting = ["", *(f"{plan.name}.{task.name}" for plan in plans for task in plan.tasks)]
        progress = Progress(id=event.natural_key(), waiting=tuple(waiting), owner=event.candidate.owner)
        answered = await self.runner.run(target, baseline)
        progress = await self.suite_runner.report_progress(progress, "", answered)
        suites = await self.suite_runner.run(plans, target, candidate, baseline, progress)
        done = await asyncio.to_thread(self._done, event, answered, suites, baseline)
        return await asyncio.to_thread(self._within_bounds, done)

    def _done(
        self,
        event: CheckpointSaved,
        split: TaskResult,
        suites: Sequence[tuple[SuitePlan, SuiteOutcome]],
        baseline: Candidate | None,
    ) -> EvalDone:
        results = [split, *(each for _plan, outcome in suites for each in outcome.results)]
        comparisons = report.all_comparisons(results)
        complete = [(plan.name, outcome.results) for plan, outcome in suites if not outcome.failures]
        contamination = self._contamination(event, results[1:])
        scores = scores_of(results, complete, lambda each: each.checkpoint) | report.contamination_score(contamination)
        for name, tasks in complete:
            scores |= report.kept(name, tasks, comparisons)
        return EvalDone(
            candidate=event.candidate,
            suite=evaluation_name(event, [plan for plan, _outcome in suites]),
            scores=scores,
            base_scores=scores_of(results, complete, lambda each: each.base),
            samples=self._samples(split),
            duration_s=sum(each.checkpoint.duration_s for each in results),
            intervals=report.intervals(results, lambda each: each.checkpoint),
            base_intervals=report.intervals(results, lambda each: each.base),
            comparisons=comparisons,
            split="validation" if event.validation else "test",
            test=event.test if event.validation else None,
            production=baseline.version if baseline and split.production is not None else None,
            production_candidate=baseline if split.production is not None else None,
            production_scores=scores_of(results, complete, lambda each: each.production),
            production_intervals=report.intervals(results, lambda each: each.production),
            item_errors=sum(each.checkpoint.item_errors for each in results),
            base_item_errors=sum(each.base.item_errors for each in results),
            judge_invalid=sum(each.checkpoint.judge_invalid for each in results),
            unreadable=report.unreadable(results),
            subjects=report.subjects(results),
            task_samples={each.name: self._samples(each) for each in results[1:]},
            task_errors={name: why for _plan, outcome in suites for name, why in outcome.failures.items()},
            contamination=contamination,
        )

    def _within_bounds(self, done: EvalDone) -> EvalDone:
        """The event; the complete one goes into an artifact if it is too large, or if a list or a text is cut."""
        try:
            if bounded(done) == done.model_dump(mode="json"):
                return done
        except BoundsError:
            return report.shortened(done, self._stored(done))
        return done.model_copy(update={"report": self._stored(done)})

    def _stored(self, done: EvalDone) -> Artifact:
        return self.files.put_bytes(done.model_dump_json().encode())

    def _complete(self, evaluation: Evaluation) -> Evaluation:
        if evaluation.done.report is None:
            return evaluation
        done = EvalDone.model_validate_json(self.files.read(evaluation.done.report))
        return evaluation.model_copy(update={"done": done})

    async def _change(self, alias: str, decide: Callable[[Production], Production | None]) -> None:
        def apply(known: Production) -> Decision[Production] | None:
            changed = decide(known)
            return None if changed is None else (changed, ())

        await self.production.upsert(Production(id=alias), apply)

    def _samples(self, result: TaskResult) -> Artifact:
        return self.files.put_bytes(sample_lines(result.lines, result.base_lines, result.production_lines))

    def _contamination(self, event: CheckpointSaved, tasks: Sequence[TaskResult]) -> tuple[Contamination, ...]:
        """Of the test split, also where another one was answered, and of each suite's task."""
        if event.train is None:
            return ()
        try:
            training = TrainingPrompts(self.files.read(event.train.artifact))
            test = read_items(self.files.read(event.test.artifact))
        except ArtifactError as error:
            # A gate on contamination then fails because it was not measured; the scores are valid.
            _log.warning("the training rows or the test split cannot be read", error=str(error))
            return ()
        proved = report.split_contamination(test, training)
        return (proved, *(report.contamination(each, training) for each in tasks))

    def _failed(self, event: CheckpointSaved, error: CannotBeScored) -> EvalDone:
        return EvalDone(
            candidate=event.candidate,
            suite=evaluation_name(event, []),
            split="validation" if event.validation else "test",
            test=event.test if event.validation else None,
            scores={},
            base_scores={},
            samples=self.files.put_bytes(b""),
            error=Failure(code=error.code, message=str(error)),
        )
