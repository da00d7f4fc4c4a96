"""The conformance page covers each call and field of the installed OpenAI SDK, and each rule is used."""

import pytest

from docs.conformance import page, sdk_surface
from docs.conformance.page import ConformanceError
from docs.conformance.sdk_surface import Surface


@pytest.fixture(scope="module")
def surface() -> Surface:
    return sdk_surface.surface()


def test_the_page_is_up_to_date(surface: Surface):
    assert page.PAGE.read_text() == page.page(surface, page.load()), "run `make conformance` and commit the page"


def test_each_rule_fits_a_name_of_the_sdk(surface: Surface):
    names, unused = page.names(surface), []
    for group, rules in page.load().items():
        for pattern in (pattern for rule in rules for pattern in rule.patterns):
            rule = page.Rule("same", "", (pattern,))
            if not any(rule.fits(name) for name in names[group]):
                unused.append(pattern)
    assert unused == []


def test_a_name_without_a_rule_is_an_error(surface: Surface):
    rules = page.load()
    grown = Surface(surface.version, surface.calls, {**surface.objects, "FileObject": ("id",)}, ("brand.new",))
    rules["notifications"] = [rule for rule in rules["notifications"] if rule.status == "same"]
    with pytest.raises(ConformanceError, match=r"brand\.new"):
        page.page(grown, rules)


def test_a_difference_needs_a_reason(tmp_path):
    rules = tmp_path / "rules.yaml"
    rules.write_text("calls:\n  - {status: differs, names: ['call files.create']}\n")
    with pytest.raises(ConformanceError, match="needs a reason"):
        page.load(rules)


def test_the_walk_finds_nested_parameters_and_fields(surface: Surface):
    create = next(call for call in surface.calls if call.name == "fine_tuning.jobs.create")
    assert "method.supervised.hyperparameters.n_epochs" in create.parameters
    assert "error.code" in surface.objects["FineTuningJob"]
