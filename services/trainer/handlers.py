"""The events that the trainer hears."""

from services.trainer.service.runs import Runs
from services.trainer.service.supervision import Supervision
from shared.bus import Bus
from shared.events import (
    DatasetReady,
    DatasetRejected,
    EvalDone,
    TrainingCancelRequested,
    TrainingPauseRequested,
    TrainingQueued,
    TrainingRequested,
    TrainingResumeRequested,
)


def subscribe(bus: Bus, runs: Runs, supervision: Supervision) -> None:
    """One use case for each event."""
    bus.subscribe(TrainingRequested, runs.request)
    bus.subscribe(DatasetReady, runs.dataset_ready)
    bus.subscribe(DatasetRejected, runs.dataset_rejected)
    bus.subscribe(TrainingCancelRequested, runs.cancel)
    bus.subscribe(TrainingPauseRequested, runs.pause)
    bus.subscribe(TrainingResumeRequested, runs.resume)
    bus.subscribe(EvalDone, runs.evaluated)
    bus.subscribe(TrainingQueued, supervision.train)
