"""Which version gets a request: the decision itself."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as some

from services.gateway.inference.domain.split_plan import RequestTraits, SplitPlan, split_plans
from services.gateway.inference.domain.traffic_split import AliasSplit, SplitRevision, TrafficSplit
from services.gateway.serving.domain.deployment import Deployment
from services.gateway.serving.domain.lineage import Lineages, RollbackPin
from tests.gateway import BASE, candidate

ALL_DRAWS = some.integers(0, 2**64 - 1)


def line(count: int) -> list[Deployment]:
    return [
        Deployment(id=f"job-{n}", at=float(n), candidate=candidate(f"job-{n}"), status="deployed") for n in range(count)
    ]


def planned(routing: TrafficSplit, count: int = 3, pin: RollbackPin | None = None) -> tuple[SplitPlan, list[str]]:
    known = line(count)
    route = AliasSplit(id="address", now=SplitRevision(number=1, at=0.0, by="", routing=routing))
    made, needed = split_plans([route], Lineages(known), {pin.id: pin} if pin else {}, [BASE])
    assert set(made) == {"address"}
    assert {d.id for d in needed} <= {d.id for d in known}
    return made["address"], [d.candidate.version for d in known]


def split(*shares: tuple[str, int], sticky: str | None = None) -> TrafficSplit:
    arms = [{"version": version, "weight": weight} for version, weight in shares]
    return TrafficSplit.model_validate({"split": arms, "sticky": sticky})


def asking(user: str | None = None, **headers: str) -> RequestTraits:
    return RequestTraits("key_1", user, {name.encode(): value.encode() for name, value in headers.items()})


def test_each_weight_gets_its_exact_part_of_all_draws() -> None:
    plan, versions = planned(split(("current", 90), ("previous", 10), (versions_of(0), 0)))
    edge = 2**64 * 90 // 100
    assert plan.choose(asking(), 0).target.version == versions[2]
    assert plan.choose(asking(), edge - 1).target.version == versions[2]
    assert plan.choose(asking(), edge + 1).target.version == versions[1]
    assert plan.choose(asking(), 2**64 - 1).target.version == versions[1]


def versions_of(n: int) -> str:
    return candidate(f"job-{n}").version


@given(ALL_DRAWS, ALL_DRAWS)
def test_a_caller_stays_with_his_version_whatever_is_drawn(one: int, other: int) -> None:
    for sticky, who in (("user", asking("u")), ("key", asking()), ("header:session", asking(session="s"))):
        plan, _ = planned(split(("current", 1), ("previous", 1), sticky=sticky))
        assert plan.choose(who, one).target == plan.choose(who, other).target


def test_more_weight_for_one_moves_no_caller_between_the_others_and_shares_are_right() -> None:
    before, versions = planned(split(("current", 90), ("previous", 10), sticky="user"))
    after, _ = planned(split(("current", 80), ("previous", 20), sticky="user"))
    users = [asking(f"user-{n}") for n in range(4000)]
    moved = Counter((before.choose(user, 0).target.version, after.choose(user, 0).target.version) for user in users)
    assert (versions[1], versions[2]) not in moved
    assert 300 < moved[versions[1], versions[1]] < 500
    assert 300 < moved[versions[2], versions[1]] < 500


def test_a_rule_wins_over_weights_and_only_for_its_value() -> None:
    routing = TrafficSplit.model_validate(
        {"rules": [{"header": "X-Variant", "equals": "b", "version": versions_of(0)}], "sticky": "header:X-Session"}
    )
    plan, versions = planned(routing)
    assert plan.choose(RequestTraits("k", None, {b"x-variant": b"b"}), 0).target.version == versions[0]
    assert plan.choose(RequestTraits("k", None, {b"x-variant": b"B"}), 0).target.version == versions[2]


def test_a_shadow_gets_its_percents_and_never_a_copy_of_what_it_answered_itself() -> None:
    plan, versions = planned(TrafficSplit.model_validate({"shadow": {"version": "previous", "percent": 25}}))
    copies = [plan.choose(asking(), draw).shadow for draw in range(1000)]
    assert sum(copy is not None for copy in copies) == 250
    assert {copy.version for copy in copies if copy} == {versions[1]}
    same, _ = planned(TrafficSplit.model_validate({"shadow": {"version": "current"}}))
    assert same.choose(asking(), 0).shadow is None


def test_current_and_previous_follow_the_name_and_what_is_gone_is_answered_by_the_current() -> None:
    back = RollbackPin(id="address", at=9.0, version=versions_of(1), beyond=2.0)
    plan, versions = planned(split(("previous", 1)), pin=back)
    assert plan.choose(asking(), 5).target.version == versions[0]
    gone, versions = planned(split(("v-gone", 1)))
    assert gone.choose(asking(), 5).target.version == versions[2]
    first, versions = planned(split(("previous", 1)), count=1)
    assert first.choose(asking(), 5).target.version == versions[0]


def test_a_routing_that_says_nothing_is_no_plan_and_a_history_is_kept_short() -> None:
    route = AliasSplit(id="address", now=SplitRevision(number=0, at=0.0, by="", routing=TrafficSplit()))
    assert split_plans([route], Lineages(line(2)), {}, [BASE]) == ({}, [])
    for n in range(30):
        route = route.changed(split(("current", 1)), f"key_{n}", float(n))
    assert route.now.number == 30
    assert [revision.number for revision in route.earlier] == list(range(29, 9, -1))


@pytest.mark.parametrize("sticky", ["", "users", "header:", "header:cookie", "header:a b"])
def test_only_what_tells_callers_apart_can_be_stuck_to(sticky: str) -> None:
    with pytest.raises(ValueError, match="sticky"):
        split(("current", 1), sticky=sticky)
