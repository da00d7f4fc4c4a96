"""The events that the gateway hears."""

from services.gateway.service.deployments import Deployments
from services.gateway.service.files import Files
from services.gateway.service.history import History
from shared import events
from shared.bus import Bus


def subscribe(bus: Bus, files: Files, history: History, deployments: Deployments) -> None:
    """One use case for each event."""
    bus.subscribe(events.DatasetUploaded, files.uploaded)
    bus.subscribe(events.DatasetReady, files.ready)
    bus.subscribe(events.DatasetRejected, history.rejected_file)
    bus.subscribe(events.TrainingRequested, history.requested)
    bus.subscribe(events.TrainingPauseRequested, history.paused)
    bus.subscribe(events.TrainingResumeRequested, history.resumed)
    bus.subscribe(events.TrainingQueued, history.queued)
    bus.subscribe(events.TrainingProgress, history.progressed)
    bus.subscribe(events.CheckpointSaved, deployments.saved)
    bus.subscribe(events.TrainingFinished, deployments.trained)
    bus.subscribe(events.EvalDone, history.scored)
    bus.subscribe(events.ReviewOpened, deployments.reviewed)
    bus.subscribe(events.ModelApproved, deployments.approved)
    bus.subscribe(events.ModelRejected, deployments.rejected)
