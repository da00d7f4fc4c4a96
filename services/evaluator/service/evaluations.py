"""What evaluator does: score a checkpoint beside its base model, and say how that went."""

import asyncio
import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from services.evaluator.domain import judging, report
from services.evaluator.domain.contamination import Training
from services.evaluator.domain.production import Production
from services.evaluator.domain.report import Asked
from services.evaluator.domain.results import Scored, Target, read_lines, sample_lines
from services.evaluator.domain.suite import CannotBeScored, suite_name
from services.evaluator.ports import Evaluation, EvaluationStore, Files, ProductionStore, Progress, ProgressStore
from services.evaluator.service.inquiry import Inquiry
from services.evaluator.service.suitebook import Plan, Planned, Suitebook
from shared import telemetry
from shared.artifacts import ArtifactError
from shared.events import (
    Artifact,
    Candidate,
    CheckpointSaved,
    Contamination,
    EvalDone,
    Failure,
    ModelDeployed,
    ModelRolledBack,
    Score,
)

_log = telemetry.logger(__name__)


@dataclass(frozen=True)
class Evaluations:
    """The use cases over evaluations. `now` gives Unix seconds."""

    store: EvaluationStore
    production: ProductionStore
    progress: ProgressStore
    inquiry: Inquiry
    suitebook: Suitebook
    files: Files
    protocol: str
    """Tells apart ways of asking and measuring."""
    judge: str = ""
    """The model that judges answers."""
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
            id=entity_id,
            job_id=candidate.job_id,
            step=candidate.step,
            evaluated_at=self.now(),
            done=done,
            train=event.train.artifact if event.train else None,
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

    async def so_far(self, job_id: str, step: int) -> Progress | None:
        """What is known of a checkpoint that is being evaluated, or was."""
        return await self.progress.get(f"{job_id}/{step}")

    async def of_job(self, job_id: str) -> list[Evaluation]:
        """A job's evaluations in the order of their steps."""
        return sorted(await self.store.of_job(job_id), key=lambda evaluation: evaluation.step)

    async def samples(self, evaluation: Evaluation, limit: int | None, task: str = "") -> list[dict[str, Any]] | None:
        """The first questions with both answers and their scores; None where the suites have no such task."""
        done = evaluation.done
        samples = done.task_samples.get(task) if task else done.samples
        return None if samples is None else read_lines(await asyncio.to_thread(self.files.read, samples), limit)

    async def _evaluate(self, event: CheckpointSaved) -> EvalDone:
        target = Target.checkpoint(event.candidate, event.test.artifact, self.protocol)
        rival = await self.inquiry.rival(event.candidate)
        plans = [plan for name in _suites(event.candidate) if (plan := await self.suitebook.plan(name))]
        waiting = ["", *(f"{plan.name}.{task.name}" for plan in plans for task in plan.tasks)]
        so_far = Progress(id=event.natural_key(), waiting=tuple(waiting), owner=event.candidate.owner)
        test = await self.inquiry.ask(target, rival)
        so_far = await self._note(so_far, "", test)
        suites: list[tuple[Plan, _Outcome]] = []
        for plan in plans:
            outcome, so_far = await self._suite(plan, target, rival, so_far)
            suites.append((plan, outcome))
        return await asyncio.to_thread(self._done, event, test, suites, rival)

    async def _note(self, so_far: Progress, name: str, asked: Asked | None) -> Progress:
        """Show what is known already; a set of questions that failed waits no more either."""
        scores = so_far.scores if asked is None else {**so_far.scores, name: asked.checkpoint.scores}
        waiting = tuple(each for each in so_far.waiting if each != name)
        progress = so_far.model_copy(update={"scores": scores, "waiting": waiting})
        await self.progress.put(progress)
        return progress

    async def _suite(
        self, plan: Plan, target: Target, rival: Candidate | None, so_far: Progress
    ) -> tuple["_Outcome", Progress]:
        """Each task's answers, or why there are none: one task's failure is no other's."""
        outcome = _Outcome()
        for task in plan.tasks:
            name = f"{plan.name}.{task.name}"
            asked: Asked | None = None
            try:
                asked = await self._task(task, name, target, rival)
                outcome.asked.append(asked)
            except CannotBeScored as error:
                outcome.failures[name] = Failure(code=error.code, message=str(error))
            so_far = await self._note(so_far, name, asked)
        return outcome, so_far

    async def _task(self, task: Planned, name: str, target: Target, rival: Candidate | None) -> Asked:
        if task.artifact is None:
            assert task.failure is not None
            raise CannotBeScored(task.failure.code, task.failure.message)
        judge = self.judge if set(task.metrics) & set(judging.METRICS) else ""
        return await self.inquiry.ask(target.on(task.artifact, judge), rival, task, name)

    def _done(
        self, event: CheckpointSaved, test: Asked, suites: Sequence[tuple[Plan, "_Outcome"]], rival: Candidate | None
    ) -> EvalDone:
        asked = [test, *(each for _plan, outcome in suites for each in outcome.asked)]
        found = report.comparisons(asked)
        whole = [(plan.name, outcome.asked) for plan, outcome in suites if not outcome.failures]
        contamination = self._contamination(event, asked)
        scores = {**_scores(asked, whole, lambda each: each.checkpoint), **report.contaminated(contamination)}
        for name, tasks in whole:
            scores |= report.kept(name, tasks, found)
        rival_scored = rival is not None and test.production is not None
        return EvalDone(
            candidate=event.candidate,
            suite=_name(event, [plan for plan, _outcome in suites]),
            scores=scores,
            base_scores=_scores(asked, whole, lambda each: each.base),
            samples=self._samples(test),
            duration_s=sum(each.checkpoint.duration_s for each in asked),
            intervals=report.intervals(asked, lambda each: each.checkpoint),
            base_intervals=report.intervals(asked, lambda each: each.base),
            comparisons=found,
            production=rival.version if rival and rival_scored else None,
            production_scores=_scores(asked, whole, lambda each: each.production),
            item_errors=sum(each.checkpoint.item_errors for each in asked),
            base_item_errors=sum(each.base.item_errors for each in asked),
            judge_invalid=sum(each.checkpoint.judge_invalid for each in asked),
            subjects=report.subjects(asked),
            task_samples={each.name: self._samples(each) for each in asked[1:]},
            task_errors={name: why for _plan, outcome in suites for name, why in outcome.failures.items()},
            contamination=contamination,
        )

    def _samples(self, asked: Asked) -> Artifact:
        return self.files.put_bytes(sample_lines(asked.lines, asked.base_lines, asked.production_lines))

    def _contamination(self, event: CheckpointSaved, asked: Sequence[Asked]) -> tuple[Contamination, ...]:
        if event.train is None:
            return ()
        try:
            training = Training(self.files.read(event.train.artifact))
        except ArtifactError as error:
            # A gate on contamination then fails as not measured; the scores stand.
            _log.warning("what it was trained on cannot be read", error=str(error))
            return ()
        return tuple(report.contamination(each, training) for each in asked)

    def _failed(self, event: CheckpointSaved, error: CannotBeScored) -> EvalDone:
        return EvalDone(
            candidate=event.candidate,
            suite=suite_name(event.test.artifact),
            scores={},
            base_scores={},
            samples=self.files.put_bytes(b""),
            error=Failure(code=error.code, message=str(error)),
        )


@dataclass(frozen=True)
class _Outcome:
    """What came of a suite's tasks."""

    asked: list[Asked] = field(default_factory=list)
    failures: dict[str, Failure] = field(default_factory=dict)


def _scores(
    asked: Sequence[Asked], suites: Sequence[tuple[str, Sequence[Asked]]], of: Callable[[Asked], Scored | None]
) -> dict[str, Score]:
    found = report.scores(asked, of)
    for name, tasks in suites:
        found |= report.suite_scores(name, tasks, of)
    return found


def _suites(candidate: Candidate) -> list[str | None]:
    named = [name.strip() for name in (candidate.suite or "").split(",")]
    return list(dict.fromkeys(name for name in named if name)) or [None]


def _name(event: CheckpointSaved, plans: Sequence[Plan]) -> str:
    """The same name for the same questions."""
    digests = (hashlib.sha256("".join(t.artifact.sha256 for t in p.tasks if t.artifact).encode()) for p in plans)
    suites = (f"{plan.name}@{digest.hexdigest()[:16]}" for plan, digest in zip(plans, digests, strict=True))
    return "+".join((suite_name(event.test.artifact), *suites))
