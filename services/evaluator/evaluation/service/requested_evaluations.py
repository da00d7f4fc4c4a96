"""Evaluations on request: any models on questions, a split or a suite, before, during or after a training."""

import asyncio
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from services.evaluator.evaluation.domain.requested_evaluation import (
    AskedTask,
    RequestedEvaluation,
    compared_with_first,
    model_scores,
    sample_lines,
    shortened,
    target_of,
)
from services.evaluator.evaluation.service.evaluation_span import evaluation_span
from services.evaluator.evaluation.service.job_rubrics import JobRubrics
from services.evaluator.scoring.domain.item import CannotBeScored, read_items
from services.evaluator.scoring.domain.target import Target
from services.evaluator.scoring.domain.target_scores import TargetScores
from services.evaluator.scoring.ports import Files
from services.evaluator.scoring.service.scorings import Scorings
from services.evaluator.suites.service.suite_catalog import SuiteCatalog
from services.evaluator.suites.service.suite_plan import PlannedTask
from shared import telemetry, tracing
from shared.artifacts import ArtifactError
from shared.bounds import BoundsError, bounded
from shared.events import (
    Artifact,
    EvaluatedModel,
    EvaluationAnswered,
    EvaluationProgress,
    EvaluationRequested,
    Failure,
)
from shared.prompts import MissingFieldError, SystemRefusedError, render
from shared.store import Collection, Decision

_log = telemetry.logger(__name__)


@dataclass(frozen=True)
class _Questions:
    """One set of questions for each model, whose templates may differ."""

    name: str
    targets: tuple[Target, ...]


@dataclass(frozen=True)
class RequestedEvaluations:
    """`protocol` identifies the way of asking and measuring."""

    store: Collection[RequestedEvaluation]
    scorings: Scorings
    suite_catalog: SuiteCatalog
    files: Files
    rubrics: JobRubrics
    protocol: str
    judge: str = ""
    clock: Callable[[], float] = time.monotonic

    async def requested(self, event: EvaluationRequested) -> None:
        """Answer a request once. A permanent failure is published too."""
        known = await self.store.get(event.evaluation_id)
        if known is not None and known.answered is not None:
            if known.requested is None:
                answered = known.answered
                asked = RequestedEvaluation.of(event).model_copy(update={"answered": answered})
                await self.store.change(known.id, lambda _: (asked, ()))
            return
        started = self.clock()
        models = [model.candidate for model in event.models if model.candidate]
        with evaluation_span(event.evaluation_id, models) as span:
            try:
                answered = await self._answer(event)
            except CannotBeScored as error:
                failure = Failure(code=error.code, message=str(error))
                answered = EvaluationAnswered(evaluation_id=event.evaluation_id, job_id=event.job_id, error=failure)
                tracing.fail(span, str(error))
        answered = answered.model_copy(update={"duration_s": self.clock() - started})
        answered = await asyncio.to_thread(self._within_bounds, answered)
        await self.store.upsert(
            RequestedEvaluation.of(event),
            lambda stored: (stored.model_copy(update={"answered": answered}), [answered]),
        )

    async def get(self, evaluation_id: str) -> RequestedEvaluation | None:
        return await self.store.get(evaluation_id)

    async def _answer(self, event: EvaluationRequested) -> EvaluationAnswered:
        questions = await self._questions(event)
        total, done = len(questions) * len(event.models), 0
        tasks: list[AskedTask] = []
        for each in questions:
            scored: list[TargetScores] = []
            for target in each.targets:
                await self._report_progress(event, done, total)
                scored.append(await self.scorings.obtain(target))
                done += 1
            lines = [await asyncio.to_thread(self.files.read, one.answers) for one in scored]
            tasks.append(AskedTask(each.name, tuple(scored), tuple(lines)))
        await self._report_progress(event, done, total)
        return await asyncio.to_thread(self._answered, event, tasks)

    async def _questions(self, event: EvaluationRequested) -> list[_Questions]:
        if event.suite is not None:
            return await self._suite(event, event.suite)
        if event.split is not None:
            # The rows of a split are rendered already.
            target = Target(base_model="", test=event.split.artifact, protocol=self.protocol)
            return [_Questions("", tuple(target_of(model, target) for model in event.models))]
        assert event.questions is not None, "the event has exactly one source of questions"
        artifacts = [await asyncio.to_thread(self._rendered, event.questions, model) for model in event.models]
        targets = [Target(base_model="", test=artifact, protocol=self.protocol) for artifact in artifacts]
        pairs = zip(event.models, targets, strict=True)
        return [_Questions("", tuple(target_of(model, target) for model, target in pairs))]

    async def _suite(self, event: EvaluationRequested, suite: str) -> list[_Questions]:
        plans = await self.suite_catalog.plans(event.evaluation_id, suite, event.owner)
        tasks = [(f"{plan.name}.{task.name}", task) for plan in plans for task in plan.tasks]
        failed = [(name, task.failure) for name, task in tasks if task.failure is not None]
        if failed:
            raise CannotBeScored(failed[0][1].code, "; ".join(f"{name}: {failure.message}" for name, failure in failed))
        rubric = await self.rubrics.of_job(event.job_id) if any(task.rated for _name, task in tasks) else None
        return [_Questions(name, self._targets(event, task, rubric)) for name, task in tasks]

    def _targets(self, event: EvaluationRequested, task: PlannedTask, rubric: Artifact | None) -> tuple[Target, ...]:
        assert task.artifact is not None, "a task has an artifact or a failure"
        asked = task.of(Target(base_model="", test=task.artifact, protocol=self.protocol), self.judge, rubric)
        return tuple(target_of(model, asked) for model in event.models)

    def _rendered(self, questions: Artifact, model: EvaluatedModel) -> Artifact:
        """The questions as a model is asked them: in its template, or the one that the request names."""
        template = model.template or (model.candidate.template if model.candidate else None)
        if template is None:
            return questions
        rows: list[bytes] = []
        try:
            for item in read_items(self.files.read(questions)):
                messages = [*render(template, item.prompt, {}), {"role": "assistant", "content": item.reference}]
                rows.append(json.dumps({"messages": messages}).encode() + b"\n")
        except ArtifactError as error:
            raise CannotBeScored("artifact_damaged", str(error)) from None
        except (MissingFieldError, SystemRefusedError) as error:
            raise CannotBeScored("template_not_filled", str(error)) from None
        return self.files.put_bytes(b"".join(rows))

    async def _report_progress(self, event: EvaluationRequested, done: int, total: int) -> None:
        def decide(stored: RequestedEvaluation) -> Decision[RequestedEvaluation] | None:
            if stored.total and done <= stored.done:
                return None
            message = f"{done} of {total} sets of answers"
            progress = EvaluationProgress(evaluation_id=event.evaluation_id, done=done, total=total, message=message)
            return stored.model_copy(update={"done": done, "total": total}), [progress]

        await self.store.upsert(RequestedEvaluation.of(event), decide)

    def _answered(self, event: EvaluationRequested, tasks: Sequence[AskedTask]) -> EvaluationAnswered:
        return EvaluationAnswered(
            evaluation_id=event.evaluation_id,
            results=tuple(model_scores(model, place, tasks) for place, model in enumerate(event.models)),
            comparisons=compared_with_first(event.models, tasks),
            samples=self.files.put_bytes(sample_lines(event.models, tasks)),
            job_id=event.job_id,
        )

    def _within_bounds(self, answered: EvaluationAnswered) -> EvaluationAnswered:
        try:
            bounded(answered)
        except BoundsError:
            return shortened(answered, self.files.put_bytes(answered.model_dump_json().encode()))
        return answered
