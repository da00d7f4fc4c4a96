"""Curves of real runs are read as a person would read them; `curves/record.py` made each of them."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.trainer.domain.curve import smooth
from services.trainer.domain.diagnosis import MIN_STEPS, diagnose
from shared.events import TrainingMetrics

CURVES = Path(__file__).parent / "curves"


def curve(name: str) -> list[TrainingMetrics]:
    return [TrainingMetrics.model_validate(point) for point in json.loads((CURVES / f"{name}.json").read_text())]


@pytest.mark.parametrize(
    "name", ["converged", "not_converged", "overfitting", "too_low", "flat", "oscillating", "jumping"]
)
def test_each_kind_of_curve_is_told_with_evidence_and_advice(name: str) -> None:
    found = diagnose(curve(name))
    assert name in {diagnosis.finding for diagnosis in found}
    for diagnosis in found:
        assert any(letter.isdigit() for letter in diagnosis.evidence)
        assert diagnosis.advice.endswith(".")


@pytest.mark.parametrize("name", ["converged", "flat", "not_converged"])
def test_a_curve_that_is_one_thing_is_no_other(name: str) -> None:
    assert [diagnosis.finding for diagnosis in diagnose(curve(name))] == [name]


def test_an_overfitted_run_is_sent_back_to_its_best_step() -> None:
    points = curve("overfitting")
    best = min((point for point in points if point.valid_loss is not None), key=lambda point: point.valid_loss or 0)
    [found] = [diagnosis for diagnosis in diagnose(points) if diagnosis.finding == "overfitting"]
    assert f"the checkpoint of step {best.step} " in found.advice


def test_a_few_steps_say_nothing_yet() -> None:
    assert diagnose(curve("converged")[: MIN_STEPS - 1]) == ()


@given(losses=st.lists(st.floats(0, 50), min_size=1, max_size=80))
def test_any_curve_can_be_read_and_smoothing_stays_within_it(losses: list[float]) -> None:
    points = [TrainingMetrics(step=step, train_loss=loss) for step, loss in enumerate(losses, start=1)]
    assert (len(diagnose(points)) > 0) is (len(losses) >= MIN_STEPS)
    assert all(min(losses) - 1e-9 <= value <= max(losses) + 1e-9 for value in smooth(losses))
