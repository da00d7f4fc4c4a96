"""Names, versions and replicas: who is asked for what."""

import pytest

from services.gateway.common.domain.errors import BadRequest
from services.gateway.inference.domain.stream_events import EventCutter, error_of, renamed
from services.gateway.serving.domain.catalog import Catalog
from services.gateway.serving.domain.deployment import MAX_REFUSALS, Deployment, backoff_s, failed_attempt
from services.gateway.serving.domain.fleet import Fleet
from services.gateway.serving.domain.lineage import Lineages, RollbackPin, current
from services.gateway.serving.domain.pool import Pool, address_url, check_id, check_url, seeded, to_discover
from services.gateway.serving.domain.replica import LONGEST_REST_S, PATIENCE, STRIKES
from tests.gateway import BASE, candidate


def deployment(job_id: str, at: float, suffix: str | None = "address", status: str = "deployed") -> Deployment:
    return Deployment.model_validate(
        {"id": job_id, "at": at, "candidate": candidate(job_id, suffix=suffix), "status": status, "deployed_at": at}
    )


def test_an_alias_means_the_newest_approval_that_is_served_whatever_was_deployed_last() -> None:
    old, new, waiting = deployment("a", 1.0), deployment("b", 2.0), deployment("c", 3.0, status="pending")
    for order in ([old, new, waiting], [waiting, new, old]):
        catalog = Catalog([BASE], Lineages(order))
        target = catalog.find("address")
        assert target is not None
        assert target.version == new.candidate.version
        assert catalog.find(old.model) is not None
        assert catalog.find(waiting.model) is None
    assert catalog.parents["address"] == BASE


def test_an_alias_that_was_turned_back_stays_there_until_something_newer_is_deployed() -> None:
    line = [deployment(f"a{n}", float(n)) for n in range(4)]
    version = line[0].candidate.version
    alias = RollbackPin(id="address", at=9.0, version=version, beyond=3.0)
    target = Catalog([BASE], Lineages(line), {alias.id: alias}).find("address")
    assert target is not None
    assert target.version == version
    # It is kept loaded though it is not among the newest.
    assert {d.id for d in Lineages(line).wanted(2, {alias.id: alias})} == {"a3", "a2", "a0"}
    assert {d.id for d in Lineages(line).wanted(2, {})} == {"a3", "a2"}
    pending = deployment("a4", 4.0, status="pending")
    assert current(Lineages([*line, pending]).of("address"), alias) == line[0]
    newer = deployment("a4", 4.0)
    assert current(Lineages([*line, newer]).of("address"), alias) == newer


def test_a_base_model_cannot_be_hidden_by_an_alias() -> None:
    target = Catalog([BASE], Lineages([deployment("a", 1.0, suffix=BASE)])).find(BASE)
    assert target is not None
    assert target.candidate is None


def test_what_waits_and_the_newest_of_each_alias_stay_loaded() -> None:
    some = [deployment(f"a{n}", n) for n in range(5)] + [deployment(f"b{n}", n, suffix="other") for n in range(2)]
    some.append(deployment("waiting", 0.0, status="pending"))
    assert {d.id for d in Lineages(some).wanted(2, {})} == {"a4", "a3", "b1", "b0", "waiting"}


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
    assert Lineages([unfit]).wanted(3, {}) == []
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
    first.forget_unlisted({BASE})
    assert fleet.serving(BASE, "assay-v-1") == []


def test_a_busy_engine_may_be_silent_for_a_while_and_one_that_went_down_must_show_everything_again() -> None:
    [replica] = Fleet({BASE: ["http://a"]}).replicas
    replica.up = True
    replica.loaded.add("assay-v-1")
    for _ in range(PATIENCE - 1):
        replica.missed_check("timed out")
    assert replica.serves("assay-v-1")
    replica.forget_unlisted({BASE, "assay-v-1"})
    replica.missed_check("timed out")
    assert replica.up
    replica.mark_down("nobody listens")
    replica.up = True
    assert not replica.serves("assay-v-1")


def test_a_replica_that_failed_some_requests_in_a_row_is_asked_nothing_until_it_passes_a_probe() -> None:
    [replica] = Fleet({BASE: ["http://a"]}).replicas
    replica.up = True
    replica.passed_probe(now=1.0)
    for _ in range(STRIKES - 1):
        replica.mark_failed()
    assert replica.serves(BASE)
    # An answer in between, and it begins anew.
    replica.answered_at = 2.0
    replica.mark_failed()
    assert replica.serves(BASE)
    for _ in range(STRIKES):
        replica.mark_failed()
    assert replica.up
    assert not replica.serves(BASE)
    replica.passed_probe(now=3.0)
    assert replica.serves(BASE)


def test_an_engine_that_fails_its_probes_is_left_alone_for_longer_each_time() -> None:
    [replica] = Fleet({BASE: ["http://a"]}).replicas
    rests = []
    for _ in range(8):
        replica.failed_probe("500", now=100.0)
        rests.append(replica.rests_until - 100.0)
    assert rests == [1, 2, 4, 8, 16, LONGEST_REST_S, LONGEST_REST_S, LONGEST_REST_S]
    assert not replica.up


def test_a_replica_that_leaves_its_pool_finishes_what_it_answers_and_one_that_stays_keeps_what_is_known() -> None:
    fleet = Fleet({BASE: ["http://a", "http://b"]})
    staying, leaving = fleet.replicas
    staying.loaded.add("assay-v-1")
    leaving.up, leaving.in_flight = True, 2
    fleet.arrange({BASE: ["http://a", "http://c"], "other": ["http://d"]})
    assert [r.url for r in fleet.pools[BASE]] == ["http://a", "http://c"]
    assert fleet.pools[BASE][0] is staying
    assert fleet.serving(BASE, BASE) == []
    assert (fleet.draining, fleet.in_flight) == ([leaving], 2)
    leaving.in_flight = 0
    fleet.arrange({"other": ["http://d"]})
    assert (fleet.draining, list(fleet.pools)) == ([], ["other"])


def test_settings_win_where_they_were_changed_and_else_what_was_said_to_the_running_gateway() -> None:
    pool = Pool(id=BASE, at=1.0, replicas=["http://said"], seed=["http://a"], removed=True)
    assert seeded(pool, ["http://a"], now=2.0) is None
    changed = seeded(pool, ["http://b"], now=2.0)
    assert changed is not None
    assert (changed.replicas, changed.seed, changed.removed) == (["http://b"], ["http://b"], False)


def test_an_engines_url_is_scheme_host_and_port_and_nothing_else() -> None:
    assert check_url("http://a:8000/") == "http://a:8000"
    assert to_discover(check_url("dns+http://vllm.default.svc:8000")) == ("vllm.default.svc", 8000)
    assert to_discover("http://a:8000") is None
    assert address_url("10.0.0.1", 80) == "http://10.0.0.1:80"
    assert address_url("::1", 80) == "http://[::1]:80"
    for wrong in (
        *(
            "",
            "a:8000",
            "file:///etc/passwd",
            "http://",
            "http://a/pause",
            "http://a?x",
            "http://u:p@a",
            "dns+http://a",
        ),
        *("http://a:99999", "http://[", "http://a#x", "ftp://a", "http://a//"),
    ):
        with pytest.raises(BadRequest):
            check_url(wrong)
    for wrong in ("", "../x", "a b", "x" * 300, "a\n"):
        with pytest.raises(BadRequest):
            check_id(wrong)


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
