"""How long a training will take, by the pace of earlier runs."""

import pytest

from services.trainer.domain.auto_hyperparameters import BaseShape
from services.trainer.domain.new_job.training_time import estimate_time
from services.trainer.domain.rows.run_data import RunData
from services.trainer.domain.stopping.stop_by_validation import Validation
from services.trainer.domain.training_plan import TrainingPlan, plan_training
from services.trainer.domain.training_run import TrainingRun
from shared.events import Artifact, Hyperparameters, Split, TrainingRequested, TrainingSpec


def data(rows: int, row_bytes: int) -> RunData:
    split = Split(artifact=Artifact(uri="file:///a", sha256="a" * 64, bytes=rows * row_bytes), rows=rows)
    return RunData(train=split, validation=split, test=split)


def plan(rows: int, **asked: float) -> TrainingPlan:
    values = Hyperparameters(**asked)  # type: ignore[arg-type]
    spec = TrainingSpec(base_model="base", hyperparameters=values)
    return plan_training("job", spec, "name", rows, BaseShape(hidden_size=64, blocks=2), validation_rows=20)


def ended(duration_s: float, **facts: object) -> TrainingRun:
    request = TrainingRequested(job_id="job", training_file="file", spec=TrainingSpec(base_model="base"))
    run = TrainingRun(id="job", request=request, status="succeeded", attempt=1, duration_s=duration_s)
    planned = plan(100, n_epochs=10, batch_size=10)
    return run.model_copy(update={"plan": planned, "data": data(100, 200), **facts})


def test_twice_the_bytes_take_twice_the_time() -> None:
    found = estimate_time(plan(100, n_epochs=10, batch_size=5), data(100, 400), [ended(60)])
    assert found is not None
    assert found.seconds == pytest.approx(120)


def test_the_fastest_and_the_slowest_run_give_the_range() -> None:
    found = estimate_time(plan(100, n_epochs=10, batch_size=10), data(100, 200), [ended(60), ended(80), ended(50)])
    assert found is not None
    assert (found.low_s, found.seconds, found.high_s, found.runs) == pytest.approx((50, 60, 80, 3))


def test_interrupted_failed_and_stopped_runs_are_not_measures() -> None:
    unusable = [
        ended(60, attempt=2),
        ended(60, status="failed"),
        ended(60, status="cancelled"),
        ended(60, stop_reason="the exact match is 1"),
    ]
    assert estimate_time(plan(100), data(100, 200), unusable) is None


def test_a_run_that_stopped_by_its_validation_counts_with_the_steps_that_it_did() -> None:
    validations = tuple(Validation(step=step, loss=0.5, accuracy=1.0) for step in (5, 10))
    stopped = ended(60, validations=validations, stop_reason="every validation answer was right")
    assert stopped.auto_stop is not None
    assert stopped.auto_stop.last_step == 12
    found = estimate_time(plan(100, n_epochs=10, batch_size=10), data(100, 200), [stopped])
    assert found is not None
    assert found.seconds == pytest.approx(60 * 100 / 12)
