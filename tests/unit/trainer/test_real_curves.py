"""Diagnoses of recorded curves; `curves/record.py` recorded each to show one finding."""

import json
from pathlib import Path

import pytest

from services.trainer.domain.curve.diagnosis import diagnose
from shared.events import TrainingMetrics

CURVES = Path(__file__).parent / "curves"
# A curve that oscillates also jumps, and one that jumps because of bad rows has not converged.
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
def test_a_recorded_curve_has_the_finding_it_was_recorded_for(name: str) -> None:
    points = json.loads((CURVES / f"{name}.json").read_text())
    found = diagnose([TrainingMetrics.model_validate(point) for point in points])
    assert {diagnosis.finding for diagnosis in found} == FINDINGS[name]
    for diagnosis in found:
        assert any(character.isdigit() for character in diagnosis.evidence)
        assert diagnosis.advice


def test_every_finding_has_a_recorded_curve() -> None:
    assert {path.stem for path in CURVES.glob("*.json")} == FINDINGS.keys()
