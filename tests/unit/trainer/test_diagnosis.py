"""Diagnoses of loss curves. `curves/demo.json` comes from a real run; the other curves are computed here."""

import json
import math
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.trainer.domain.curve.diagnosis import MIN_STEPS, diagnose
from services.trainer.domain.curve.loss_curve import smooth
from shared.events import TrainingMetrics

FOLDER = Path(__file__).parent / "curves"
STEPS = 120
Course = Callable[[float], float]


def curve(train: Course, valid: Course | None = None, noise: float = 0.05) -> list[TrainingMetrics]:
    """A curve of losses by progress (0 to 1), with relative noise up to `noise`; ten steps have a validation loss."""
    rng = random.Random(4)
    points = []
    for step in range(1, STEPS + 1):
        done = step / STEPS
        loss = train(done) * (1 + rng.uniform(-noise, noise))
        scored = valid(done) if valid is not None and step % (STEPS // 10) == 0 else None
        points.append(TrainingMetrics(step=step, train_loss=loss, valid_loss=scored))
    return points


def settling(done: float) -> float:
    return 0.4 + 2 * math.exp(-12 * done)


def leaping(done: float) -> float:
    return settling(done) + (2.0 if 0.695 < done < 0.705 else 0.0)


CURVES = {
    "converged": curve(settling, lambda done: settling(done) + 0.1),
    "not_converged": curve(lambda done: 3 - 2 * done),
    "overfitting": curve(lambda done: 2.5 * math.exp(-3 * done) + 0.1, lambda done: 1 + 4 * (done - 0.4) ** 2),
    "too_low": curve(lambda done: 2 * math.exp(-10 * done) + 0.01, lambda done: 0.5),
    "flat": curve(lambda done: 2.0),
    "oscillating": curve(settling, noise=0.9),
    "jumping": curve(leaping),
}
LEAPS_AND_FALLS = curve(lambda done: 3 - 2 * done + (2.0 if 0.695 < done < 0.705 else 0.0))


def recorded(name: str) -> list[TrainingMetrics]:
    return [TrainingMetrics.model_validate(point) for point in json.loads((FOLDER / f"{name}.json").read_text())]


def findings(points: list[TrainingMetrics]) -> list[str]:
    return [diagnosis.finding for diagnosis in diagnose(points)]


def test_a_real_run_with_a_low_loss_that_validation_confirms_has_converged() -> None:
    points = recorded("demo")
    assert findings(points) == ["converged"]
    # Without validation the same curve could come from memorized rows.
    alone = [point.model_copy(update={"valid_loss": None}) for point in points]
    assert "too_low" in findings(alone)


@pytest.mark.parametrize("name", CURVES)
def test_each_finding_has_evidence_and_advice(name: str) -> None:
    found = diagnose(CURVES[name])
    assert name in {diagnosis.finding for diagnosis in found}
    for diagnosis in found:
        assert any(letter.isdigit() for letter in diagnosis.evidence)
        assert diagnosis.advice.endswith(".")


@pytest.mark.parametrize("name", ["converged", "not_converged", "flat"])
def test_a_curve_with_one_problem_has_one_finding(name: str) -> None:
    assert findings(CURVES[name]) == [name]


def test_an_overfitted_run_is_advised_to_use_its_best_step() -> None:
    [found] = [diagnosis for diagnosis in diagnose(CURVES["overfitting"]) if diagnosis.finding == "overfitting"]
    assert "the checkpoint of step 48 " in found.advice


def test_a_jump_names_its_step() -> None:
    [found] = [diagnosis for diagnosis in diagnose(CURVES["jumping"]) if diagnosis.finding == "jumping"]
    assert found.step == 84
    assert found.evidence.startswith("From about ")


def test_after_a_jump_no_advice_asks_for_a_higher_learning_rate() -> None:
    jump, trend = diagnose(LEAPS_AND_FALLS)
    assert "half the learning rate" in jump.advice
    assert (trend.finding, trend.advice) == ("not_converged", "Ask for more epochs.")
    [alone] = diagnose(CURVES["not_converged"])
    assert alone.advice == "Ask for more epochs, or for a higher learning rate."
    [diverged] = diagnose(CURVES["not_converged"], diverged=True)
    assert diagnose(CURVES["not_converged"], whole=False) == ()
    assert diverged.advice == "Ask for more epochs."
    flat = diagnose(curve(lambda done: 2.0 + (3.0 if 0.695 < done < 0.705 else 0.0)))[-1]
    assert (flat.finding, "times the learning rate" in flat.advice) == ("flat", False)


def test_a_run_that_needs_fewer_epochs_is_not_advised_to_ask_for_more() -> None:
    falling = [point for point in CURVES["overfitting"] if point.step <= STEPS * 0.7]
    assert findings([point.model_copy(update={"valid_loss": None}) for point in falling]) == ["not_converged"]
    assert findings(falling) == ["overfitting"]


def test_a_loss_that_oscillates_and_jumps_has_one_advice_on_the_learning_rate() -> None:
    found = {each.finding: each.advice for each in diagnose(recorded("oscillating"))}
    assert "learning rate" in found["oscillating"]
    assert "learning rate" not in found["jumping"]


def test_texts_are_sentences_in_the_words_of_the_pages() -> None:
    for points in CURVES.values():
        for found in diagnose(points):
            assert found.evidence[0].isupper()
            assert found.evidence.endswith(".")
            assert "%" not in found.evidence.replace("\u00a0%", "")
            assert "_" not in found.evidence + found.advice


def test_a_curve_that_ends_above_its_start_oscillates() -> None:
    assert findings(curve(lambda done: 1 + 3 * done)) == ["oscillating"]


def test_short_curves_have_no_finding() -> None:
    assert diagnose(CURVES["converged"][: MIN_STEPS - 1]) == ()


@given(losses=st.lists(st.floats(0, 50), min_size=1, max_size=80))
def test_any_curve_can_be_diagnosed_and_smoothing_stays_within_its_range(losses: list[float]) -> None:
    points = [TrainingMetrics(step=step, train_loss=loss) for step, loss in enumerate(losses, start=1)]
    assert (len(diagnose(points)) > 0) is (len(losses) >= MIN_STEPS)
    assert all(min(losses) - 1e-9 <= value <= max(losses) + 1e-9 for value in smooth(losses))
