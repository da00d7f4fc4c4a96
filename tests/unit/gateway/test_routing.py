"""Names, versions and replicas: who is asked for what."""

from services.gateway.domain.deployment import (
    MAX_REFUSALS,
    Alias,
    Catalog,
    Deployment,
    backoff_s,
    current,
    failed_attempt,
    lines,
    wanted,
)
from services.gateway.domain.fleet import PATIENCE, Fleet
from services.gateway.domain.wire import EventCutter, error_of, renamed
from tests.gateway import BASE, candidate


def deployment(job_id: str, at: float, suffix: str | None = "address", status: str = "deployed") -> Deployment:
    return Deployment.model_validate(
        {"id": job_id, "at": at, "candidate": candidate(job_id, suffix=suffix), "status": status, "deployed_at": at}
    )


def test_an_alias_means_the_newest_approval_that_is_served_whatever_was_deployed_last() -> None:
    old, new, waiting = deployment("a", 1.0), deployment("b", 2.0), deployment("c", 3.0, status="pending")
    for order in ([old, new, waiting], [waiting, new, old]):
        catalog = Catalog([BASE], order)
        target = catalog.find("address")
        assert target is not None
        assert target.version == new.candidate.version
        assert catalog.find(old.model) is not None
        assert catalog.find(waiting.model) is None
    assert catalog.parents["address"] == BASE


def test_an_alias_that_was_turned_back_stays_there_until_something_newer_is_deployed() -> None:
    line = [deployment(f"a{n}", float(n)) for n in range(4)]
    version = line[0].candidate.version
    alias = Alias(id="address", at=9.0, version=version, beyond=3.0)
    target = Catalog([BASE], line, [alias]).find("address")
    assert target is not None
    assert target.version == version
    # It is kept loaded though it is not among the newest.
    assert {d.id for d in wanted(line, 2, [alias])} == {"a3", "a2", "a0"}
    assert {d.id for d in wanted(line, 2)} == {"a3", "a2"}
    pending = deployment("a4", 4.0, status="pending")
    assert current(lines([*line, pending])["address"], alias) == line[0]
    newer = deployment("a4", 4.0)
    assert current(lines([*line, newer])["address"], alias) == newer


def test_a_base_model_cannot_be_hidden_by_an_alias() -> None:
    target = Catalog([BASE], [deployment("a", 1.0, suffix=BASE)]).find(BASE)
    assert target is not None
    assert target.candidate is None


def test_what_waits_and_the_newest_of_each_alias_stay_loaded() -> None:
    some = [deployment(f"a{n}", n) for n in range(5)] + [deployment(f"b{n}", n, suffix="other") for n in range(2)]
    some.append(deployment("waiting", 0.0, status="pending"))
    assert {d.id for d in wanted(some, keep=2)} == {"a4", "a3", "b1", "b0", "waiting"}


def test_failures_wait_longer_each_time_up_to_a_minute() -> None:
    waits = [backoff_s(n) for n in range(1, 12)]
    assert waits == sorted(waits)
    assert (waits[0], waits[-1]) == (1.0, 60.0)


def test_a_failure_is_for_good_when_the_weights_are_unfit_or_it_was_refused_too_often_and_never_for_an_absence() -> (
    None
):
    waiting = deployment("a", 0.0, status="pending")
    unfit = failed_attempt(waiting, "rank", "http://a", "unfit", now=10.0)
    assert unfit.status == "failed"
    assert unfit.failure is not None
    assert (unfit.failure.permanent, unfit.failure.attempt, unfit.failure.replica) == (True, 1, "http://a")
    assert wanted([unfit], keep=3) == []
    absent = refused = waiting
    for n in range(1, MAX_REFUSALS + 1):
        absent = failed_attempt(absent, "away", None, "absent", now=10.0)
        refused = failed_attempt(refused, "no", "http://a", "refused", now=10.0)
        assert absent.status == "pending"
        assert absent.next_try_at == 10.0 + backoff_s(n)
        assert refused.status == ("failed" if n == MAX_REFUSALS else "pending")


def test_a_replica_is_only_asked_for_what_it_was_seen_to_answer_with() -> None:
    fleet = Fleet({BASE: ["http://a/", "http://b"]})
    first, second = fleet.pools[BASE]
    assert fleet.serving(BASE, BASE) == []
    assert BASE in fleet.unready()
    first.up = second.up = True
    first.loaded.add("assay-v-1")
    assert fleet.serving(BASE, "assay-v-1") == [first]
    first.in_flight = 2
    assert fleet.serving(BASE, BASE) == [second, first]
    # As after a restart: the engine answers, and lists nothing of ours.
    first.lists({BASE})
    assert fleet.serving(BASE, "assay-v-1") == []


def test_a_busy_engine_may_be_silent_for_a_while_and_one_that_went_down_must_show_everything_again() -> None:
    [replica] = Fleet({BASE: ["http://a"]}).replicas
    replica.up = True
    replica.loaded.add("assay-v-1")
    for _ in range(PATIENCE - 1):
        replica.was_silent("timed out")
    assert replica.serves("assay-v-1")
    replica.lists({BASE, "assay-v-1"})
    replica.was_silent("timed out")
    assert replica.up
    replica.went_down("nobody listens")
    replica.up = True
    assert not replica.serves("assay-v-1")


def test_events_are_whole_however_the_network_cuts_them() -> None:
    sent = b'data: {"id":"1"}\n\ndata: {"id":"2"}\n\ndata: [DONE]\n\n'
    for size in range(1, len(sent) + 1):
        cutter = EventCutter()
        events = [e for at in range(0, len(sent), size) for e in cutter.cut(sent[at : at + size])]
        assert b"".join(events) == sent
        assert len(events) == 3
        assert cutter.rest == b""


def test_the_public_name_replaces_the_loaded_one_but_not_in_what_the_model_says() -> None:
    answer = b'{"model":"assay-v-1","choices":[{"text":"\\"model\\":\\"assay-v-1\\" and \'\\"model\\":'
    assert renamed(answer, "assay-v-1", "address") == answer.replace(b"assay-v-1", b"address", 1)
    assert renamed(answer, "base", "base") == answer


def test_an_engines_error_is_read_in_each_shape_it_has() -> None:
    assert error_of(b'{"error": {"message": "no", "param": "n"}}') == {"message": "no", "param": "n"}
    assert error_of(b'{"message": "no"}') == {"message": "no"}
    assert error_of(b"Internal Server Error") == {}
    assert error_of(b'["x"]') == {}
