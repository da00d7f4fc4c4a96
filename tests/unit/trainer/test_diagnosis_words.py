"""Diagnoses on pages: the words of each finding in both languages."""

import re

import pytest

from services.trainer.domain.curve.diagnosis import Diagnosis, diagnose
from services.trainer.pages import PAGES
from shared.pages.catalogs import Language
from tests.unit.trainer.test_diagnosis import CURVES, LEAPS_AND_FALLS, curve, recorded

FLAT_AND_LEAPING = curve(lambda done: 2.0 + (3.0 if 0.695 < done < 0.705 else 0.0))
RISING = curve(lambda done: 1 + 3 * done)
FOUND = [
    found
    for points in (*CURVES.values(), LEAPS_AND_FALLS, FLAT_AND_LEAPING, RISING, recorded("oscillating"))
    for found in diagnose(points)
]


def words(found: Diagnosis, language: Language) -> tuple[str, str]:
    """Evidence and advice as the page of a run shows them."""
    module = PAGES._environments[language].get_template("diagnosis_words.j2").module
    return str(module.evidence(found)).strip(), str(module.advice(found)).strip()  # type: ignore[attr-defined]


@pytest.mark.parametrize("found", FOUND, ids=lambda found: found.finding)
def test_a_page_says_what_the_diagnosis_says_and_in_chinese_with_the_same_figures(found: Diagnosis) -> None:
    assert words(found, "en") == (found.evidence, found.advice)
    evidence, advice = words(found, "zh")
    assert sorted(re.findall(r"[\d.]+\d", evidence)) == sorted(re.findall(r"[\d.]+\d", found.evidence))
    assert not re.search("[a-z]{2}", evidence + advice)
