"""The lease to replace an engine's weights, and the closing of an engine to all gateways."""

from services.gateway.serving.domain.deployment import Deployment
from services.gateway.serving.domain.engine_weights import REPLACING, EngineWeights
from services.gateway.serving.domain.fleet import Fleet
from services.gateway.serving.domain.lineage import RollbackPin, due
from services.gateway.serving.domain.pool import Pool, parts_of
from services.gateway.serving.domain.weight_lease import (
    ABSENT_S,
    FORGET_S,
    LEASE_S,
    WeightLease,
    closed_to,
    closing,
    left_alone,
    noted,
    taken,
)
from tests.gateway import BASE, candidate

POOL = f"{BASE}@address"


def test_one_gateway_has_the_lease_until_it_ends() -> None:
    mine = taken(WeightLease(id=POOL), "a", 0.0)
    assert mine is not None
    assert taken(mine, "b", LEASE_S - 0.1) is None
    shut = closing(mine, "http://a")
    again = taken(shut, "a", 5.0)
    assert again is not None
    assert (again.lease.expires_at, again.closing) == (5.0 + LEASE_S, "http://a")
    others = taken(shut, "b", LEASE_S)
    assert others is not None
    # The engine that the first gateway closed is open again.
    assert (others.holder, others.closing) == ("b", None)


def test_an_engine_is_paused_when_all_live_gateways_confirmed_the_closing() -> None:
    now = 100.0
    lease = WeightLease(id=POOL)
    for name in ("a", "b", "c"):
        lease = noted(lease, name, 0, now)
    held = taken(lease, "a", now)
    assert held is not None
    shut = closing(held, "http://a")
    assert closed_to(shut, "b", now) == "http://a"
    assert closed_to(shut, "a", now) is None
    assert closed_to(shut, "b", now + LEASE_S) is None
    assert not left_alone(shut, now)
    half = noted(shut, "b", shut.turn, now + 1)
    assert not left_alone(half, now + 1)
    assert left_alone(noted(half, "c", shut.turn, now + 1), now + 1)
    # A gateway that died is not waited for, and is removed later.
    assert left_alone(half, now + ABSENT_S + 0.1)
    assert noted(half, "b", shut.turn, now + FORGET_S).seen.keys() == {"b"}
    assert not left_alone(closing(half, "http://b"), now + 1)


def test_an_engine_whose_weights_are_being_replaced_holds_no_version_for_sure() -> None:
    assert EngineWeights("assay-v-1", paused=False).sure
    assert not EngineWeights("assay-v-1", paused=True).sure
    assert not EngineWeights(REPLACING, paused=False).sure


def test_a_dedicated_pool_serves_its_name_and_the_others_serve_all_other_names() -> None:
    fleet = Fleet({BASE: ["http://a"], POOL: ["http://b", "http://c"]})
    many, first, second = fleet.replicas
    for replica in fleet.replicas:
        replica.up = True
    assert list(fleet.pools) == [BASE]
    assert fleet.replicas_for(BASE, "address") == [first, second]
    assert fleet.replicas_for(BASE, "other") == [many] == fleet.replicas_for(BASE, None)
    assert fleet.dedicated() == {(BASE, "address"): [first, second]}
    assert fleet.serving(BASE, BASE) == [many]
    first.holds("assay-v-1")
    assert fleet.serving(BASE, "assay-v-1") == [first]
    assert (first.engine_name("assay-v-1"), many.engine_name("assay-v-1")) == (BASE, "assay-v-1")
    first.close()
    assert fleet.serving(BASE, "assay-v-1") == []
    first.closed = False
    # A closed or barred engine may have changed, so its weights are read again before it serves.
    assert fleet.serving(BASE, "assay-v-1") == []
    second.holds("assay-v-1")
    second.bar(True)
    assert fleet.serving(BASE, "assay-v-1") == []
    assert (parts_of(BASE), parts_of(POOL)) == ((BASE, None), (BASE, "address"))
    assert [Pool(id=name, at=0, replicas=[]).mode for name in (BASE, POOL)] == ["adapters", "weights"]


def test_a_pool_without_a_live_engine_is_reported_as_unready() -> None:
    fleet = Fleet({POOL: ["http://b"]})
    assert fleet.unready().keys() == {POOL}
    fleet.replicas[0].up = True
    assert fleet.unready() == {}
    assert Fleet({BASE: []}).unready().keys() == {BASE}


def test_the_newest_waiting_version_is_due_unless_it_just_failed() -> None:
    old = Deployment(id="a", at=1.0, candidate=candidate("a"), status="deployed")
    new = Deployment(id="b", at=2.0, candidate=candidate("b"), status="deployed")
    waiting = Deployment(id="c", at=3.0, candidate=candidate("c"), next_try_at=50.0)
    other = Deployment(id="d", at=4.0, candidate=candidate("d", suffix="other"))
    known = [old, new, waiting, other]
    assert due(known, "address", None, 60.0) == waiting
    assert due(known, "address", None, 40.0) == new
    back = RollbackPin(id="address", at=9.0, version=old.candidate.version, beyond=2.0)
    assert due(known, "address", back, 40.0) == old
    assert due([other], "address", None, 60.0) is None
