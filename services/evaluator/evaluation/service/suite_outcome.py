"""The outcome of a suite, and what an evaluation over several suites is called and scores."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from services.evaluator.evaluation.domain import report
from services.evaluator.evaluation.domain.report import TaskResult
from services.evaluator.scoring.domain.item import split_name
from services.evaluator.scoring.domain.target_scores import TargetScores
from services.evaluator.suites.service.suite_plan import SuitePlan
from shared.events import CheckpointSaved, Failure, Score, Split

MAX_NAME = 512


@dataclass(frozen=True)
class SuiteOutcome:
    """The results and failures of a suite's tasks."""

    results: list[TaskResult] = field(default_factory=list)
    failures: dict[str, Failure] = field(default_factory=dict)


def scores_of(
    results: Sequence[TaskResult],
    suites: Sequence[tuple[str, Sequence[TaskResult]]],
    of: Callable[[TaskResult], TargetScores | None],
) -> dict[str, Score]:
    """The scores of all tasks by name, and those of whole suites."""
    found = report.scores(results, of)
    for name, tasks in suites:
        found |= report.suite_scores(name, tasks, of)
    return found


def asked_split(event: CheckpointSaved) -> Split:
    """What a checkpoint is asked: the validation split where checkpoints are compared, else the test split."""
    return event.validation or event.test


def evaluation_name(event: CheckpointSaved, plans: Sequence[SuitePlan]) -> str:
    """The same name for the same questions."""
    digests = (hashlib.sha256("".join(t.artifact.sha256 for t in p.tasks if t.artifact).encode()) for p in plans)
    suites = (f"{plan.name}@{digest.hexdigest()[:16]}" for plan, digest in zip(plans, digests, strict=True))
    split = split_name("validation" if event.validation else "test", asked_split(event).artifact)
    name = "+".join((split, *suites))
    return name if len(name) <= MAX_NAME else f"suites@{hashlib.sha256(name.encode()).hexdigest()[:32]}"
