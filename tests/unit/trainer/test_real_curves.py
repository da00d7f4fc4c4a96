"""Curves of real runs, each recorded by `curves/record.py` to show one finding, are read as what they are."""

import json
from pathlib import Path

import pytest

from services.trainer.domain.diagnosis import diagnose
from shared.events import TrainingMetrics

CURVES = Path(__file__).parent / "curves"
# A curve that oscillates leaps too, and one whose odd rows make it jump has not settled.
FINDINGS = {
    "demo": {"converged"},
    "converged": {"converged"},
    "not_converged": {"not_converged"},
    "overfitting": {"overfitting"},
    "too_low": {"too_low"},
    "flat": {"flat"},
    "oscillating": {"oscillating", "jumping", "overfitting"},
    "jumping": {"jumping", "not_converged"},
}


@pytest.mark.parametrize("name", FINDINGS)
def test_a_real_curve_is_read_as_what_it_shows(name: str) -> None:
    points = json.loads((CURVES / f"{name}.json").read_text())
    found = diagnose([TrainingMetrics.model_validate(point) for point in points])
    assert {diagnosis.finding for diagnosis in found} == FINDINGS[name]
    for diagnosis in found:
        assert any(character.isdigit() for character in diagnosis.evidence)
        assert diagnosis.advice


def test_every_finding_has_a_curve_and_every_curve_is_read() -> None:
    assert {path.stem for path in CURVES.glob("*.json")} == FINDINGS.keys()
