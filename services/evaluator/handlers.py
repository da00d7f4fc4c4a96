"""The events that the evaluator handles."""

from services.evaluator.evaluation.service.evaluations import Evaluations
from services.evaluator.evaluation.service.job_rubrics import JobRubrics
from services.evaluator.evaluation.service.requested_evaluations import RequestedEvaluations
from services.evaluator.evaluation.service.restoration import EvaluationRestoration
from services.evaluator.judging.service.agreements import Agreements
from services.evaluator.suites.service.suite_restoration import SuiteRestoration
from shared.bus import Bus
from shared.events import (
    CheckpointSaved,
    EvalDone,
    EvaluationAnswered,
    EvaluationRequested,
    ModelDeployed,
    ModelRolledBack,
    PolicyPinned,
    ReviewScored,
    SuiteDeleted,
    SuitePublished,
)


def subscribe(
    bus: Bus,
    evaluations: Evaluations,
    requested_evaluations: RequestedEvaluations,
    agreements: Agreements,
    rubrics: JobRubrics,
) -> None:
    """Subscribe one use case to each event."""
    bus.subscribe(PolicyPinned, rubrics.pinned)
    bus.subscribe(CheckpointSaved, evaluations.evaluate)
    bus.subscribe_dated(ModelDeployed, evaluations.deployed)
    bus.subscribe_dated(ModelRolledBack, evaluations.rolled_back)
    bus.subscribe(EvaluationRequested, requested_evaluations.requested)
    bus.subscribe(ReviewScored, agreements.reviewed)


def restore(bus: Bus, evaluations: EvaluationRestoration, suites: SuiteRestoration) -> None:
    """One use case for each fact of the evaluator itself, from which its lost database is rebuilt."""
    bus.restore_dated(EvalDone, evaluations.done)
    bus.restore(EvaluationAnswered, evaluations.answered)
    bus.restore(SuitePublished, suites.published)
    bus.restore(SuiteDeleted, suites.deleted)
