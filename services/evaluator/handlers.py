"""The events that the evaluator handles."""

from services.evaluator.evaluation.service.evaluations import Evaluations
from services.evaluator.evaluation.service.job_rubrics import JobRubrics
from services.evaluator.evaluation.service.requested_evaluations import RequestedEvaluations
from services.evaluator.judging.service.agreements import Agreements
from shared.bus import Bus
from shared.events import (
    CheckpointSaved,
    EvaluationRequested,
    ModelDeployed,
    ModelRolledBack,
    PolicyPinned,
    ReviewScored,
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
