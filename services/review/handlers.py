"""The events that review handles."""

from services.review.pairs.baselines import Baselines
from services.review.policies.restoration import PolicyRestoration
from services.review.runs.deciding import Runs
from services.review.runs.restoration import RunRestoration
from shared.bus import Bus
from shared.events import (
    AliasBound,
    EvalDone,
    EvaluationAnswered,
    ModelApproved,
    ModelRejected,
    PolicyDeleted,
    PolicyPinned,
    PolicyPublished,
    ReviewScored,
    TrainingFinished,
    TrainingRequested,
)


def subscribe(bus: Bus, runs: Runs, baselines: Baselines) -> None:
    """One use case for each event."""

    async def evaluation_answered(event: EvaluationAnswered) -> None:
        if not await baselines.answered(event):
            await runs.evaluation_answered(event)

    bus.subscribe(TrainingRequested, runs.requested)
    bus.subscribe(EvaluationAnswered, evaluation_answered)
    bus.subscribe(EvalDone, runs.evaluated)
    bus.subscribe(TrainingFinished, runs.finished)


def restore(bus: Bus, policies: PolicyRestoration, runs: RunRestoration) -> None:
    """One use case for each fact of review itself, from which its lost database is rebuilt."""
    bus.restore(PolicyPublished, policies.published)
    bus.restore(PolicyDeleted, policies.deleted)
    bus.restore(AliasBound, policies.bound)
    bus.restore_dated(PolicyPinned, runs.pinned)
    bus.restore_dated(ReviewScored, runs.scored)
    bus.restore_dated(ModelApproved, runs.approved)
    bus.restore_dated(ModelRejected, runs.rejected)
