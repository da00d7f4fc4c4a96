"""Event subscriptions of the trainer: one use case for each event."""

from services.trainer.service.run_control import RunControl
from services.trainer.service.training_supervisor import TrainingSupervisor
from shared.bus import Bus
from shared.events import (
    DatasetReady,
    DatasetRejected,
    DatasetRendered,
    EvalDone,
    PoolChanged,
    TrainingCancelRequested,
    TrainingPauseRequested,
    TrainingQueued,
    TrainingRequested,
    TrainingResumeRequested,
)


def subscribe(bus: Bus, control: RunControl, supervisor: TrainingSupervisor) -> None:
    bus.subscribe(TrainingRequested, control.request)
    bus.subscribe(DatasetReady, control.dataset_ready)
    bus.subscribe(DatasetRejected, control.dataset_rejected)
    bus.subscribe(DatasetRendered, control.dataset_rendered)
    bus.subscribe(PoolChanged, control.pool_changed)
    bus.subscribe(TrainingCancelRequested, control.cancel)
    bus.subscribe(TrainingPauseRequested, control.pause)
    bus.subscribe(TrainingResumeRequested, control.resume)
    bus.subscribe(EvalDone, control.evaluated)
    bus.subscribe(TrainingQueued, supervisor.train)
