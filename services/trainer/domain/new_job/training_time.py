"""Estimates how long a training takes, by the measured pace of earlier runs."""

from collections.abc import Sequence
from statistics import median

from services.trainer.domain.rows.run_data import RunData
from services.trainer.domain.training_plan import TrainingPlan
from services.trainer.domain.training_run import TrainingRun
from shared.events import Value


class TimeEstimate(Value):
    """Seconds without scoring, by the median pace of `runs` runs; `low_s` by the fastest, `high_s` by the slowest."""

    seconds: float
    low_s: float
    high_s: float
    runs: int


def estimate_time(plan: TrainingPlan, data: RunData, earlier: Sequence[TrainingRun]) -> TimeEstimate | None:
    """None if no earlier run was measured from its first to its last step."""
    paces = sorted(pace for run in earlier if (pace := pace_of(run)) is not None)
    if not paces:
        return None
    wanted = plan.total_steps * _step_bytes(plan, data)
    return TimeEstimate(
        seconds=wanted / median(paces), low_s=wanted / paces[-1], high_s=wanted / paces[0], runs=len(paces)
    )


def pace_of(run: TrainingRun) -> float | None:
    """Bytes of rows that a run read per second, with loading and validation; None if it was interrupted or stopped."""
    if run.status != "succeeded" or run.attempt != 1 or run.plan is None or run.data is None or run.duration_s <= 0:
        return None
    stop = run.auto_stop
    if run.stop_reason is not None and stop is None:
        return None
    last_step = stop.last_step if stop else run.plan.total_steps
    return last_step * _step_bytes(run.plan, run.data) / run.duration_s


def _step_bytes(plan: TrainingPlan, data: RunData) -> float:
    return plan.batch_size * data.train.artifact.bytes / max(1, data.train.rows)
