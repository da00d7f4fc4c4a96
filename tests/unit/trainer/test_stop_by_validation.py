"""Automatic early stopping by the validation split."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.trainer.domain.stopping.stop_by_validation import (
    EarlyStop,
    Validation,
    decide_auto_stop,
    early_stop,
    validation_schedule,
)
from services.trainer.domain.training_plan import plan_training
from services.trainer.domain.worker_messages import StepDone, Validated
from shared.events import Hyperparameters, TrainingSpec
from tests.unit.trainer import in_process, tiny_model
from tests.unit.trainer.in_process import Trained

TOTAL_STEPS = 1000


def validations(losses: Sequence[float], accuracies: Sequence[float] | None = None) -> list[Validation]:
    """After steps 10, 20, …"""
    shares = accuracies or [0.5] * len(losses)
    return [
        Validation(step=10 * n, loss=loss, accuracy=share)
        for n, (loss, share) in enumerate(zip(losses, shares, strict=True), start=1)
    ]


def test_two_perfect_validations_in_a_row_stop_a_run() -> None:
    stop = early_stop(validations([3.0, 2.0, 1.0], [0.9, 1.0, 1.0]), TOTAL_STEPS)
    assert stop is not None
    assert (stop.step, stop.last_step) == (30, 35)
    assert stop.reason == "every validation answer was right after steps 20 and 30"


@pytest.mark.parametrize("accuracies", [(1.0, 0.9, 1.0), (0.999, 1.0), (1.0,)])
def test_validations_that_are_not_perfect_twice_in_a_row_do_not_stop_a_run(accuracies: tuple[float, ...]) -> None:
    losses = [3.0 - n for n in range(len(accuracies))]
    assert early_stop(validations(losses, accuracies), TOTAL_STEPS) is None


@pytest.mark.parametrize(
    "losses", [(1.0, 0.5, 0.5, 0.5, 0.5), (1.0, 0.5, 0.6, 0.7, 0.8), (1.0, 0.5, 0.499, 0.497, 0.495)]
)
def test_a_validation_loss_that_no_longer_improves_stops_a_run(losses: tuple[float, ...]) -> None:
    stop = early_stop(validations(losses), TOTAL_STEPS)
    assert stop is not None
    assert stop.step == 50
    assert stop.reason == "the validation loss did not improve on the 0.500 after step 20 in 3 validations"


@pytest.mark.parametrize("losses", [(1.0, 0.5, 0.5, 0.5), (1.0, 0.5, 0.5, 0.5, 0.4), (0.5, 0.495, 0.489, 0.484, 0.478)])
def test_a_validation_loss_that_still_improves_does_not_stop_a_run(losses: tuple[float, ...]) -> None:
    assert early_stop(validations(losses), TOTAL_STEPS) is None


@given(st.lists(st.floats(0, 5), max_size=30))
def test_the_decision_does_not_change_with_later_validations(losses: list[float]) -> None:
    decisions = [early_stop(validations(losses[:count]), 10**6) for count in range(len(losses) + 1)]
    decided = [stop for stop in decisions if stop is not None]
    assert len(set(decided)) <= 1


def test_a_run_that_is_almost_done_is_not_stopped() -> None:
    assert early_stop(validations([1.0, 0.5, 0.5, 0.5, 0.5]), total_steps=58) is None


def test_the_learning_rate_falls_to_zero_at_the_last_step() -> None:
    stop = EarlyStop(step=40, last_step=44, reason="")
    assert [stop.rate_factor(step) for step in (30, 40, 41, 43, 44)] == [1, 1, 0.75, 0.25, 0]


@pytest.mark.parametrize(
    ("asked", "rows", "stops", "reason"),
    [
        (None, 40, True, "on: ends early"),
        (None, 3, False, "off: 3 validation rows"),
        (False, 40, False, None),
        (True, 3, True, None),
        (True, 0, False, None),
    ],
)
def test_early_stopping_is_on_by_default_and_explained(
    asked: bool | None, rows: int, stops: bool, reason: str | None
) -> None:
    reasons: dict[str, str] = {}
    assert decide_auto_stop(Hyperparameters(early_stopping=asked), rows, reasons) == stops
    assert reasons.get("early_stopping", "").startswith(reason or "")
    assert ("early_stopping" in reasons) == (reason is not None)


def test_validation_is_scheduled_every_half_epoch_and_after_the_last_step() -> None:
    assert validation_schedule(total_steps=21, steps_per_epoch=10) == (5, 10, 15, 20, 21)
    spec = TrainingSpec(base_model="base", hyperparameters=Hyperparameters(n_epochs=2, batch_size=4))
    plan = plan_training("job", spec, "name", 40, tiny_model.SHAPE, validation_rows=10)
    assert (plan.early_stopping, plan.validation_steps) == (True, (5, 10, 15, 20))


ASKED = {"n_epochs": 30, "batch_size": 4, "learning_rate": 0.01, "n_checkpoints": 30, "lora_rank": 4}
# The same rows for training and validation, so that validation becomes perfect.
ROWS = tiny_model.rows(12)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model.save(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def stopped(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return in_process.train(base, tmp_path_factory.mktemp("stopped"), ROWS, ROWS, **ASKED)


def test_a_run_that_stops_early_ends_with_a_checkpoint_and_a_learning_rate_of_zero(stopped: Trained) -> None:
    stop = stopped.trainer.early_stop
    assert stop is not None
    steps = [message for message in stopped.messages if isinstance(message, StepDone)]
    assert steps[-1].step == stopped.checkpoints[-1].step == stop.last_step < 90
    rates = [message.metrics.learning_rate or 0 for message in steps]
    assert 0 < rates[-1] < 0.5 * rates[stop.step - 1]
    validations_sent = [message.validation for message in stopped.messages if isinstance(message, Validated)]
    assert early_stop(validations_sent, 90) == stop


@pytest.mark.parametrize("place", [1, -2])
def test_a_resumed_run_stops_at_the_same_step(base: Path, stopped: Trained, tmp_path: Path, place: int) -> None:
    """Also if it is resumed after the decision, while the learning rate falls."""
    step, state = stopped.checkpoints[place].step, stopped.folder(stopped.checkpoints[place].state)
    known = [m.validation for m in stopped.messages if isinstance(m, Validated) and m.validation.step <= step]
    resumed = in_process.train(base, tmp_path, ROWS, ROWS, resume=state, validations=known, **ASKED)
    assert resumed.trainer.early_stop == stopped.trainer.early_stop
    assert resumed.losses == pytest.approx({at: loss for at, loss in stopped.losses.items() if at > step})


def test_a_run_with_early_stopping_switched_off_trains_to_its_last_step(base: Path, tmp_path: Path) -> None:
    asked = {**ASKED, "n_epochs": 12, "early_stopping": False}
    trained = in_process.train(base, tmp_path, ROWS, ROWS, **asked)
    assert max(trained.losses) == 36
