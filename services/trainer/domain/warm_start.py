"""Warm start: a run that starts from a checkpoint of an earlier run."""

from services.trainer.domain.errors import PlanRefused
from services.trainer.domain.rows.run_data import WarmStart
from services.trainer.domain.training_run import TrainingRun
from services.trainer.domain.tuning import Tuning
from shared.events import TrainingRequested


def warm_start(earlier: TrainingRun | None, asked: TrainingRequested) -> tuple[WarmStart, Tuning]:
    """The requested checkpoint and the tuning that made it; raises `PlanRefused`.

    Without a requested step this is the checkpoint with the best score, else the last one.
    """
    wanted = asked.spec.hyperparameters
    # Runs of other owners are treated as unknown.
    if earlier is None or earlier.request.owner != asked.owner or earlier.plan is None:
        raise PlanRefused("start_not_found", f"there is no job {wanted.start_job!r} to start from", "start_job")
    if earlier.request.spec.base_model != asked.spec.base_model:
        message = (
            f"job {earlier.id} trained {earlier.request.spec.base_model}, but this job names {asked.spec.base_model}"
        )
        raise PlanRefused("invalid_hyperparameter", message, "start_job")
    tuning = earlier.plan.tuning
    # An adapter that was trained over another job's model is incomplete without it; its published model is merged.
    known = {w.step: w.adapter if tuning.over_whole else w.state for w in earlier.checkpoints}
    step = wanted.start_step or earlier.best_step or max(known, default=0)
    if step not in known:
        steps = ", ".join(map(str, known)) or "none"
        message = f"job {earlier.id} has no checkpoint of step {step}; its checkpoints: {steps}"
        raise PlanRefused("start_not_found", message, "start_step")
    with_optimizer = bool(wanted.start_optimizer)
    if with_optimizer and tuning.over_whole:
        message = f"start_optimizer: job {earlier.id} published a merged model, which has no optimizer state"
        raise PlanRefused("invalid_hyperparameter", message, "start_optimizer")
    return WarmStart(job_id=earlier.id, step=step, state=known[step], with_optimizer=with_optimizer), tuning
