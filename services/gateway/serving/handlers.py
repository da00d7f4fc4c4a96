"""The events that the gateway subscribes to."""

from services.gateway.fine_tuning.service.configurations import Configurations
from services.gateway.fine_tuning.service.files import Files
from services.gateway.fine_tuning.service.job_projection import JobProjection
from services.gateway.fine_tuning.service.restoration import FineTuningRestoration
from services.gateway.serving.service.deployments import Deployments
from services.gateway.serving.service.restoration import ServingRestoration
from shared import events
from shared.bus import Bus


def subscribe(
    bus: Bus, files: Files, projection: JobProjection, configurations: Configurations, deployments: Deployments
) -> None:
    """One use case for each event."""
    bus.subscribe(events.DatasetUploaded, files.uploaded)
    bus.subscribe(events.DatasetReady, projection.ready_file)
    bus.subscribe(events.DatasetRejected, projection.rejected_file)
    bus.subscribe(events.TemplatePublished, configurations.template)
    bus.subscribe(events.SuitePublished, configurations.suite)
    bus.subscribe(events.SuiteDeleted, configurations.suite)
    bus.subscribe(events.PolicyPublished, configurations.policy)
    bus.subscribe(events.PolicyDeleted, configurations.policy)
    bus.subscribe(events.AliasBound, configurations.alias)
    bus.subscribe(events.PoolChanged, configurations.pool)
    bus.subscribe(events.TrainingRequested, projection.requested)
    bus.subscribe(events.TrainingPauseRequested, projection.paused)
    bus.subscribe(events.TrainingResumeRequested, projection.resumed)
    bus.subscribe(events.TrainingQueued, projection.queued)
    bus.subscribe(events.TrainingProgress, projection.progressed, side_by_side=True)
    bus.subscribe(events.CheckpointSaved, deployments.checkpoint_saved)
    bus.subscribe(events.TrainingFinished, deployments.training_finished)
    bus.subscribe(events.EvalDone, projection.scored)
    bus.subscribe(events.ReviewOpened, deployments.review_opened)
    bus.subscribe_dated(events.ModelApproved, deployments.model_approved)
    bus.subscribe(events.ModelRejected, deployments.model_rejected)


def restore(bus: Bus, fine_tuning: FineTuningRestoration, serving: ServingRestoration) -> None:
    """One use case for each fact of the gateway itself, from which its lost database is rebuilt."""
    bus.restore(events.AliasClaimed, fine_tuning.alias_claimed)
    bus.restore(events.PermissionChanged, fine_tuning.permission_changed)
    bus.restore(events.FileDeleted, fine_tuning.file_deleted)
    bus.restore_dated(events.TrainingCancelRequested, fine_tuning.cancel_requested)
    bus.restore_dated(events.JobEnded, fine_tuning.job_ended)
    bus.restore_dated(events.ModelDeployed, serving.deployed)
    bus.restore_dated(events.ModelDeploymentFailed, serving.failed)
    bus.restore(events.ModelDeleted, serving.deleted)
    bus.restore_dated(events.ModelRolledBack, serving.rolled_back)
    bus.restore(events.PoolChanged, serving.pool_changed)
