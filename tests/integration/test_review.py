"""Review over real NATS and MongoDB: evaluations in, a verdict out, and people's scores over HTTP."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from litestar.testing import AsyncTestClient

from services.review.app import build
from services.review.config import Settings
from shared.artifacts import Artifacts
from shared.events import ModelApproved, ModelRejected, ReviewOpened, ReviewScored, ReviewWaiting
from shared.security import Keyring
from shared.settings import CommonSettings
from tests.review import (
    BEST,
    WORST,
    eventually_published,
    eventually_status,
    handled,
    headers_of,
    id_of,
    opened_review,
    published,
    score,
    score_all,
    send,
)
from tests.unit.review.evidence import evaluation, finish, sample_lines


@pytest.fixture
async def client(bus_settings: CommonSettings, keyring: Keyring) -> AsyncIterator[httpx.AsyncClient]:
    async with AsyncTestClient(build(Settings(common=bus_settings))) as client:
        client.headers.update(headers_of(keyring, "reviewer", "review"))
        yield client


@pytest.fixture
def admin(keyring: Keyring) -> dict[str, str]:
    return headers_of(keyring, "admin", "admin")


async def test_the_best_checkpoint_is_approved_when_the_last_fact_arrives(client, bus_settings) -> None:
    await send(bus_settings, finish(10, 20), evaluation(20, 0.85))
    await handled(bus_settings)
    assert (await client.get("/v1/verdicts/job-1")).json()["status"] == "open"
    assert await published(bus_settings) == []
    await send(bus_settings, evaluation(10, 0.95))
    _, approved = await eventually_published(bus_settings, ReviewScored, ModelApproved)
    assert approved.candidate.step == 10
    assert [rule.reason for rule in approved.verdict.rules] == [
        "n 40",
        "0.950 against 0.100, n 40, 95 % interval +0.840 to +0.860, p = 0.001",
    ]
    run = (await client.get("/v1/verdicts/job-1")).json()
    assert run["status"] == "approved"
    assert run["run"]["policy"]["gates"][0]["at_least"] == 0.8
    assert run["evaluation"]["scores"]["exact_match"]["value"] == 0.95


async def test_every_event_sent_again_changes_nothing(client, bus_settings) -> None:
    facts = [evaluation(10, 0.3), finish(10)]
    await send(bus_settings, *facts)
    found = await eventually_published(bus_settings, ReviewScored, ModelRejected)
    before = (await client.get("/v1/verdicts/job-1")).json()
    await send(bus_settings, *facts, *facts)
    await handled(bus_settings)
    await asyncio.sleep(0.3)
    assert await published(bus_settings) == found
    assert (await client.get("/v1/verdicts/job-1")).json() == before


async def test_a_failed_training_has_no_verdict(client, bus_settings) -> None:
    await send(bus_settings, evaluation(10, 0.99), finish(10, status="failed"))
    await handled(bus_settings)
    assert (await client.get("/v1/verdicts/job-1")).json()["status"] == "closed"
    assert await published(bus_settings) == []


async def test_an_unknown_policy_is_a_rejection_with_its_reason(client, bus_settings) -> None:
    await send(bus_settings, evaluation(10, 0.99, policy="strictest"), finish(10))
    [rejected] = await eventually_published(bus_settings, ModelRejected)
    assert rejected.verdict.reason == "there is no policy 'strictest' for this job"


async def test_a_training_without_checkpoints_is_rejected(client, bus_settings) -> None:
    await send(bus_settings, finish())
    [rejected] = await eventually_published(bus_settings, ModelRejected)
    assert rejected.verdict.reason == "the training saved no checkpoint"


async def test_two_people_score_blind_and_the_verdict_follows(client, bus_settings, keyring, admin) -> None:
    path = await opened_review(client, bus_settings, admin, items=30, items_per_review=20)
    second = headers_of(keyring, "second", "review")
    items = (await client.get(f"{path}/items")).json()
    assert len(items) == 20
    assert set(items[0]) == {"id", "prompt", "reference", "answer", "tags", "kind", "your_scores"}
    orders = [await score_all(client, path, headers) for headers in (dict(client.headers), second)]
    assert orders[0] != orders[1]
    assert sorted(orders[0]) == sorted(orders[1])
    opened, scored, approved = await eventually_published(bus_settings, ReviewOpened, ReviewScored, ModelApproved)
    assert (opened.items, opened.reviewers_wanted) == (20, 2)
    assert (scored.score, scored.reviewers, len(scored.item_scores)) == (100, 2, 20)
    score = approved.verdict.rules[-1]
    assert (score.rule, score.figure) == ("human score at least 70", 100)
    assert score.reason == "95 % interval 100.0 to 100.0, 20 answers by 2 reviewers"
    assert (await eventually_status(client, path, admin, "closed"))["human"]["score"] == 100
    assert (await client.get("/v1/verdicts/job-1")).json()["status"] == "approved"


async def test_scores_off_the_rubric_are_refused_by_name_and_unknown_things_are_404(
    client, bus_settings, admin
) -> None:
    path = await opened_review(client, bus_settings, admin)
    for field, bad in [("accuracy", 6), ("politeness", "5"), ("usefulness", None), ("mood", 3), ("accuracy", 11)]:
        answer = await score(client, path, "item-1", dict(client.headers), {**BEST, field: bad})
        assert answer.status_code == 422, answer.text
        assert field in answer.json()["detail"]
    nan = await client.post(f"{path}/items/item-1/scores", content=b'{"scores": {"accuracy": NaN}}')
    assert nan.status_code == 422
    assert (await client.post(f"{path}/items/item-1/scores", content=b"{oops")).status_code == 400
    assert (await score(client, path, "item-77", dict(client.headers))).status_code == 404
    assert (await score(client, "/v1/reviews/none", "item-1", dict(client.headers))).status_code == 404
    assert (await client.get("/v1/verdicts/none")).status_code == 404
    assert (await client.get(f"{path}/progress")).json()["done"] == 0


async def test_a_reviewer_reads_and_scores_only_items_that_are_open_to_them(
    client, bus_settings, keyring, admin
) -> None:
    path = await opened_review(client, bus_settings, admin, items=1, reviewers_wanted=1)
    first, second = dict(client.headers), headers_of(keyring, "second", "review")
    item = (await client.post(f"{path}/next", headers=first)).json()["item"]["id"]
    assert (await client.get(f"{path}/items/{item}", headers=second)).status_code == 403
    assert (await score(client, path, item, second)).status_code == 403
    assert (await client.post(f"{path}/next", headers=second)).json()["item"] is None
    assert (await score(client, path, item, first)).status_code == 200
    await eventually_status(client, path, admin, "closed")
    assert (await score(client, path, item, first)).status_code == 200, "a repeated form is answered as before"
    assert (await score(client, path, item, first, WORST)).status_code == 409


async def test_a_lease_that_expired_goes_to_the_next_reviewer(client, bus_settings, keyring, admin) -> None:
    path = await opened_review(client, bus_settings, admin, items=1, reviewers_wanted=1, lease_s=1)
    second = headers_of(keyring, "second", "review")
    assert (await client.post(f"{path}/next")).json()["item"] is not None
    await asyncio.sleep(1.1)
    item = (await client.post(f"{path}/next", headers=second)).json()["item"]
    assert item is not None
    assert (await score(client, path, item["id"], dict(client.headers))).status_code == 403


async def test_the_last_score_can_be_undone(client, bus_settings, admin) -> None:
    path = await opened_review(client, bus_settings, admin)
    order = [(await client.post(f"{path}/next")).json()["item"]["id"] for _ in range(1)]
    await score(client, path, order[0], dict(client.headers), WORST)
    undone = (await client.post(f"{path}/undo")).json()
    assert undone["item"]["id"] == order[0]
    assert undone["item"]["your_scores"]["points"] == WORST
    assert undone["progress"]["done"] == 0
    assert (await client.post(f"{path}/next")).json()["item"]["id"] == order[0]


async def test_items_on_which_reviewers_differ_wait_for_a_decision(client, bus_settings, keyring, admin) -> None:
    path = await opened_review(client, bus_settings, admin, adjudicate_from=2)
    first, second = dict(client.headers), headers_of(keyring, "second", "review")
    await score_all(client, path, first)
    assert (await client.get(f"{path}/disputed", headers=first)).status_code == 409
    for item in ("item-1", "item-2"):
        await score(client, path, item, second, BEST)
    await score(client, path, "item-3", second, WORST)
    await eventually_status(client, path, admin, "adjudicating")
    [disputed] = (await client.get(f"{path}/disputed", headers=admin)).json()
    assert disputed["id"] == "item-3"
    assert sorted(each["points"]["accuracy"] for each in disputed["scores"]) == [1, 5]
    decision = {"scores": BEST, "reason": "the second reviewer misread the order"}
    decided = await client.post(f"{path}/items/item-3/decision", json=decision, headers=admin)
    assert decided.status_code == 200, decided.text
    closed = await eventually_status(client, path, admin, "closed")
    assert closed["human"]["score"] == 100
    panel = (await client.get(f"{path}/panel", headers=admin)).json()
    assert panel["agreement"]["accuracy"]["raw"] == pytest.approx(2 / 3)


async def test_too_little_agreement_leaves_the_verdict_undecided_until_more_people_score(
    client, bus_settings, keyring, admin
) -> None:
    path = await opened_review(client, bus_settings, admin, agreement_at_least=0.5, human_score_at_least=10)
    first, second = dict(client.headers), headers_of(keyring, "second", "review")
    for item, mine, theirs in (("item-1", BEST, WORST), ("item-2", WORST, BEST), ("item-3", BEST, WORST)):
        await score(client, path, item, first, mine)
        await score(client, path, item, second, theirs)
    run = await eventually_status(client, "/v1/verdicts/job-1", admin, "undecided")
    assert not run["verdict"]["rules"][1]["passed"]
    assert "agreement on accuracy" in run["verdict"]["reason"]
    assert (await client.post("/v1/verdicts/job-1/override", json={"approved": True, "reason": "x"})).status_code == 400
    override = {"approved": True, "reason": "we talked about the three items"}
    assert (await client.post("/v1/verdicts/job-1/override", json=override)).status_code == 403
    reopened = await client.post(f"{path}/reopen", json={"reason": "a third opinion"}, headers=admin)
    assert reopened.json()["status"] == "open"
    assert (await client.get("/v1/verdicts/job-1")).json()["status"] == "in_review"
    assert (await client.post("/v1/verdicts/job-1/override", json=override, headers=admin)).status_code == 200
    decided = await eventually_status(client, "/v1/verdicts/job-1", admin, "approved")
    assert decided["verdict"]["override"]["reason"] == override["reason"]
    kinds = (ReviewOpened, ReviewScored, ReviewWaiting, ReviewScored, ModelApproved)
    _, first_scored, waiting, second_scored, approved = await eventually_published(bus_settings, *kinds)
    assert (waiting.waits_for, waiting.items) == ("reviewers", 3)
    assert (first_scored.decision, second_scored.decision, approved.decision) == (0, 1, 1)
    assert approved.verdict.reason.startswith(f"approved by {id_of(keyring, 'admin')}: we talked about")


async def test_samples_that_are_gone_end_in_a_rejection_and_not_in_a_run_that_waits(
    client, bus_settings, admin
) -> None:
    content = {"mode": "human", "rubric": {"accuracy": 100}}
    await client.put("/v1/policies/people", json=content, headers=admin)
    await send(bus_settings, evaluation(10, 0.9, policy="people"), finish(10))
    [rejected] = await eventually_published(bus_settings, ModelRejected)
    assert "people cannot review it" in rejected.verdict.reason
    assert "is missing from the store" in rejected.verdict.reason


async def test_nobody_decides_over_their_own_job_where_the_policy_forbids_it(
    client, bus_settings, keyring, admin
) -> None:
    owner = keyring.create("owner", ("review", "train"))
    owner_id = id_of(keyring, "owner")
    content = {"mode": "hybrid", "gates": [{"metric": "exact_match", "at_least": 0.5}], "own_job": False}
    await client.put("/v1/policies/strict", json=content, headers=admin)
    samples = Artifacts(bus_settings.artifacts).put_bytes(sample_lines(2))
    event = evaluation(10, 0.9, policy="strict", samples=samples)
    owned = event.model_copy(update={"candidate": event.candidate.model_copy(update={"owner": owner_id})})
    await send(bus_settings, owned, finish(10))
    [opened] = await eventually_published(bus_settings, ReviewOpened)
    headers = {"authorization": f"Bearer {owner}"}
    path = f"/v1/reviews/{opened.review_id}"
    assert (await client.post(f"{path}/next", headers=headers)).status_code == 403
    assert (await score(client, path, "item-1", headers)).status_code == 403
    assert (await score(client, path, "item-1", dict(client.headers))).status_code == 200
    cancelled = await client.post(f"{path}/cancel", json={"reason": "wrong data"}, headers=headers)
    assert cancelled.json()["status"] == "cancelled", "its owner still manages the review"
    assert (await score(client, path, "item-2", dict(client.headers))).status_code == 409


async def test_the_deadline_closes_a_review_with_the_scores_that_are_there(client, bus_settings, admin) -> None:
    path = await opened_review(client, bus_settings, admin)
    await score(client, path, "item-1", dict(client.headers))
    assert (await client.put(f"{path}/deadline", json={"deadline_at": 1.0}, headers=admin)).status_code == 200
    run = await eventually_status(client, "/v1/verdicts/job-1", admin, "undecided")
    assert "5 scores were missing at the deadline" in run["verdict"]["reason"]


async def test_reviews_need_the_scope_review(client, keyring) -> None:
    trainer = headers_of(keyring, "trainer", "train")
    assert (await client.get("/v1/reviews", headers=trainer)).status_code == 403
    assert (await client.get("/v1/reviews", headers={"authorization": ""})).status_code == 401
    assert (await client.get("/readyz", headers=trainer)).json() == {"status": "ready"}
    operator = headers_of(keyring, "operator", "admin")
    assert (await client.get("/readyz", headers=operator)).json() == {"mongo": "ok", "nats": "ok", "artifacts": "ok"}
