"""Event subscriptions of the trainer: one use case for each event."""

from services.trainer.service.job_options import JobOptions
from services.trainer.service.run_control import RunControl
from services.trainer.service.training_supervisor import TrainingSupervisor
from shared.bus import Bus
from shared.events import (
    DatasetReady,
    DatasetRejected,
    DatasetRendered,
    DatasetUploaded,
    EvalDone,
    FileDeleted,
    PolicyDeleted,
    PolicyPublished,
    PoolChanged,
    SuiteDeleted,
    SuitePublished,
    TrainingCancelRequested,
    TrainingPauseRequested,
    TrainingQueued,
    TrainingRequested,
    TrainingResumeRequested,
)


def subscribe(bus: Bus, control: RunControl, options: JobOptions, supervisor: TrainingSupervisor) -> None:
    bus.subscribe(TrainingRequested, control.request)
    bus.subscribe(DatasetUploaded, options.uploaded)
    bus.subscribe(FileDeleted, options.file_deleted)
    bus.subscribe(SuitePublished, options.published)
    bus.subscribe(SuiteDeleted, options.deleted)
    bus.subscribe(PolicyPublished, options.published)
    bus.subscribe(PolicyDeleted, options.deleted)
    bus.subscribe(DatasetReady, control.dataset_ready)
    bus.subscribe(DatasetRejected, control.dataset_rejected)
    bus.subscribe(DatasetRendered, control.dataset_rendered)
    bus.subscribe(PoolChanged, control.pool_changed)
    bus.subscribe(TrainingCancelRequested, control.cancel)
    bus.subscribe(TrainingPauseRequested, control.pause)
    bus.subscribe(TrainingResumeRequested, control.resume)
    bus.subscribe(EvalDone, control.evaluated)
    bus.subscribe(TrainingQueued, supervisor.train)
