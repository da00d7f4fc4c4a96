"""Which version is production, whatever the order in which the events arrive."""

from collections.abc import Callable
from itertools import permutations

import pytest

from services.evaluator.evaluation.domain.production import Production
from shared.events import Artifact, Candidate


def candidate(step: int) -> Candidate:
    adapter = Artifact(uri="memory://", sha256=f"{step << 240:064x}", bytes=1)
    return Candidate(
        job_id="j", step=step, base_model="base", model_name=f"ft:{step}", adapter=adapter, lora_rank=8, suffix="mine"
    )


FIRST, SECOND = candidate(1), candidate(2)
DEPLOYED_FIRST, DEPLOYED_SECOND, ROLLED_BACK = 10.0, 20.0, 30.0


FACTS: dict[str, Callable[[Production], Production | None]] = {
    "first": lambda known: known.deployed(FIRST, DEPLOYED_FIRST),
    "second": lambda known: known.deployed(SECOND, DEPLOYED_SECOND),
    "back": lambda known: known.rolled_back(FIRST.version, ROLLED_BACK),
}


def after(*facts: str) -> Production:
    known = Production(id="mine")
    for fact in facts:
        known = FACTS[fact](known) or known
    return known


def compared_with(production: Production) -> Candidate | None:
    return production.baseline(candidate(3))


@pytest.mark.parametrize("facts", list(permutations(("first", "second", "back"))))
def test_a_rollback_counts_in_any_order_of_arrival(facts: tuple[str, ...]) -> None:
    assert compared_with(after(*facts)) == FIRST


def test_an_old_deployment_that_arrives_late_does_not_become_production() -> None:
    assert compared_with(after("second", "first")) == SECOND
    assert compared_with(after("second", "first", "second")) == SECOND


def test_a_repeated_fact_changes_nothing() -> None:
    assert after("first").deployed(FIRST, DEPLOYED_FIRST) is None
    assert after("first", "second", "back").rolled_back(FIRST.version, ROLLED_BACK) is None


def test_nothing_is_compared_with_a_version_that_is_not_known_yet() -> None:
    assert compared_with(after("back")) is None
    assert compared_with(after("back", "first")) == FIRST
