"""Runs that go on from a checkpoint of an earlier one."""

from services.trainer.domain.errors import PlanRefused
from services.trainer.domain.run import Run, Start
from services.trainer.domain.tuning import Tuning
from shared.events import TrainingRequested


def start_from(earlier: Run | None, asked: TrainingRequested) -> tuple[Start, Tuning]:
    """The checkpoint that was asked for, and how it was made; raises `PlanRefused`.

    Without a step it is the best one by its scores, else the last.
    """
    wanted = asked.spec.hyperparameters
    # A run of somebody else is one that is not there.
    if earlier is None or earlier.request.owner != asked.owner or earlier.plan is None:
        raise PlanRefused("start_not_found", f"there is no job {wanted.start_job!r} to start from", "start_job")
    if earlier.request.spec.base_model != asked.spec.base_model:
        message = f"job {earlier.id} trained {earlier.request.spec.base_model}, not {asked.spec.base_model}"
        raise PlanRefused("invalid_hyperparameter", message, "start_job")
    made = earlier.plan.tuning
    # The state of an adapter over another job's model is not all of it; what was published is.
    known = {w.step: w.adapter if made.over_whole else w.state for w in earlier.checkpoints}
    step = wanted.start_step or earlier.best_step or max(known, default=0)
    if step not in known:
        steps = ", ".join(map(str, known)) or "none"
        message = f"job {earlier.id} has no checkpoint of step {step}: it has {steps}"
        raise PlanRefused("start_not_found", message, "start_step")
    optimizer = bool(wanted.start_optimizer)
    if optimizer and made.over_whole:
        message = f"start_optimizer: the adapter of job {earlier.id} is merged into its model, its optimizer is gone"
        raise PlanRefused("invalid_hyperparameter", message, "start_optimizer")
    return Start(job_id=earlier.id, step=step, state=known[step], with_optimizer=optimizer), made
