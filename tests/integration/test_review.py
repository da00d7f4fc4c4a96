"""Review over real NATS and MongoDB: evaluations in, a verdict out, and people's scores over HTTP."""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import httpx
import pytest
from litestar.testing import AsyncTestClient

from services.review.app import build
from services.review.config import Settings
from shared import events, topology
from shared.artifacts import Artifacts
from shared.cloudevents import Envelope, EventData
from shared.events import ModelApproved, ModelRejected, ReviewOpened, ReviewScored
from shared.security import Keyring
from shared.settings import CommonSettings
from tests.jetstream import jetstream
from tests.unit.review.evidence import evaluation, finish, sample_lines

BEST = {"accuracy": 5, "politeness": 5, "usefulness": 5}


@pytest.fixture
async def client(bus_settings: CommonSettings, keyring: Keyring) -> AsyncIterator[httpx.AsyncClient]:
    app = build(Settings(common=bus_settings))
    key = keyring.create("reviewer", ("review",))
    async with AsyncTestClient(app) as client:
        client.headers["authorization"] = f"Bearer {key}"
        yield client


async def send(settings: CommonSettings, *facts: EventData) -> None:
    """Publish without message ids, so that only the service itself can tell a repetition."""
    async with jetstream(settings) as js:
        for fact in facts:
            envelope = Envelope.of(fact, "test").model_copy(update={"id": str(uuid4())})
            await js.publish(fact.type, envelope.model_dump_json().encode())


async def said(settings: CommonSettings) -> list[EventData]:
    """Everything that review has said, in order."""
    spoken: list[EventData] = []
    async with jetstream(settings) as js:
        last = (await js.stream_info(topology.EVENTS_STREAM)).state.last_seq
        for sequence in range(1, last + 1):
            message = await js.get_msg(topology.EVENTS_STREAM, sequence)
            envelope = Envelope.model_validate_json(message.data or b"")
            if envelope.source == "urn:assay:review":
                spoken.append(events.parse(envelope))
    return spoken


async def eventually_said(settings: CommonSettings, *kinds: type[EventData]) -> list[EventData]:
    async with asyncio.timeout(20):
        while len(spoken := await said(settings)) < len(kinds):
            await asyncio.sleep(0.05)
    assert [type(fact) for fact in spoken] == list(kinds)
    return spoken


async def handled(settings: CommonSettings) -> None:
    """Wait until review has nothing left to hear."""
    async with jetstream(settings) as js, asyncio.timeout(20):
        for consumer in ("review-eval_done", "review-training_finished"):
            while (
                info := await js.consumer_info(topology.EVENTS_STREAM, consumer)
            ).num_pending or info.num_ack_pending:
                await asyncio.sleep(0.05)


def as_reviewer(client: httpx.AsyncClient, key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


async def test_the_best_checkpoint_is_approved_when_the_last_fact_arrives(client, bus_settings) -> None:
    await send(bus_settings, finish(10, 20), evaluation(20, 0.85))
    await handled(bus_settings)
    assert (await client.get("/v1/runs/job-1")).json()["status"] == "open"
    assert await said(bus_settings) == []
    await send(bus_settings, evaluation(10, 0.95))
    _, approved = await eventually_said(bus_settings, ReviewScored, ModelApproved)
    assert approved.candidate.step == 10
    assert [rule.reason for rule in approved.verdict.rules] == [
        "exact_match 0.95 ≥ 0.80",
        "exact_match 0.95 > 0.10 of the base model",
    ]
    run = (await client.get("/v1/runs/job-1")).json()
    assert run["status"] == "approved"
    assert run["run"]["policy"]["gates"][0]["at_least"] == 0.8
    assert len(run["run"]["evaluations"]) == 2


async def test_every_event_sent_again_changes_nothing(client, bus_settings) -> None:
    facts = [evaluation(10, 0.3), finish(10)]
    await send(bus_settings, *facts)
    spoken = await eventually_said(bus_settings, ReviewScored, ModelRejected)
    before = (await client.get("/v1/runs/job-1")).json()
    await send(bus_settings, *facts, *facts)
    await handled(bus_settings)
    await asyncio.sleep(0.3)
    assert await said(bus_settings) == spoken
    assert (await client.get("/v1/runs/job-1")).json() == before


async def test_a_failed_training_ends_in_silence(client, bus_settings) -> None:
    await send(bus_settings, evaluation(10, 0.99), finish(10, status="failed"))
    await handled(bus_settings)
    assert (await client.get("/v1/runs/job-1")).json()["status"] == "closed"
    assert await said(bus_settings) == []


async def test_an_unknown_policy_is_a_rejection_with_its_reason(client, bus_settings) -> None:
    await send(bus_settings, evaluation(10, 0.99, policy="strictest"), finish(10))
    [rejected] = await eventually_said(bus_settings, ModelRejected)
    assert rejected.verdict.reason == "there is no policy 'strictest'"


async def test_two_people_score_blind_and_the_verdict_follows(client, bus_settings, keyring) -> None:
    samples = Artifacts(bus_settings.artifacts).put_bytes(sample_lines(30))
    await send(bus_settings, evaluation(10, 0.9, policy="hybrid", samples=samples), finish(10))
    [opened] = await eventually_said(bus_settings, ReviewOpened)
    assert (opened.items, opened.reviewers_wanted) == (20, 2)
    path = f"/v1/reviews/{opened.review_id}"
    listed = (await client.get("/v1/reviews", params={"status": "open"})).json()
    assert [review["id"] for review in listed] == [opened.review_id]

    second = as_reviewer(client, keyring.create("second", ("review",)))
    orders = []
    for headers in ({}, second):
        items = (await client.get(f"{path}/items", headers=headers)).json()
        orders.append([item["id"] for item in items])
        assert all(item["your_scores"] is None for item in items)
        assert set(items[0]) == {"id", "prompt", "reference", "answer", "your_scores"}
        for number, item in enumerate(items):
            answer = await client.post(f"{path}/items/{item['id']}/scores", json=BEST, headers=headers)
            assert answer.status_code == 200
            assert answer.json()["you_scored"] == number + 1
    assert orders[0] != orders[1]
    assert sorted(orders[0]) == sorted(orders[1])

    _, scored, approved = await eventually_said(bus_settings, ReviewOpened, ReviewScored, ModelApproved)
    assert (scored.score, scored.reviewers) == (100, 2)
    assert approved.verdict.rules[-1].reason == "human_score 100.0 ≥ 70.0, by 2 reviewers"
    run = (await client.get("/v1/runs/job-1")).json()
    assert (run["status"], run["review"]["status"]) == ("approved", "closed")
    late = as_reviewer(client, keyring.create("late", ("review",)))
    refused = await client.post(f"{path}/items/{orders[0][0]}/scores", json=BEST, headers=late)
    assert refused.status_code == 409


async def test_bad_scores_are_refused_by_field_and_what_is_not_there_is_404(client, bus_settings) -> None:
    samples = Artifacts(bus_settings.artifacts).put_bytes(sample_lines(3))
    await send(bus_settings, evaluation(10, 0.9, policy="hybrid", samples=samples), finish(10))
    [opened] = await eventually_said(bus_settings, ReviewOpened)
    path = f"/v1/reviews/{opened.review_id}/items"
    for field, bad in [("accuracy", 6), ("politeness", "5"), ("usefulness", None), ("mood", 3)]:
        answer = await client.post(f"{path}/item-1/scores", json={**BEST, field: bad})
        assert answer.status_code == 400
        assert field in str(answer.json()["errors"])
    assert (await client.post(f"{path}/item-1/scores", content=b"{oops")).status_code == 400
    assert (await client.post(f"{path}/item-77/scores", json=BEST)).status_code == 404
    assert (await client.post("/v1/reviews/none/items/item-1/scores", json=BEST)).status_code == 404
    assert (await client.get("/v1/runs/none")).status_code == 404
    assert (await client.get(f"/v1/reviews/{opened.review_id}")).json()["you_scored"] == 0


async def test_samples_that_are_gone_end_in_a_rejection_not_in_silence(client, bus_settings) -> None:
    await send(bus_settings, evaluation(10, 0.9, policy="hybrid"), finish(10))
    [rejected] = await eventually_said(bus_settings, ModelRejected)
    assert "people cannot review it" in rejected.verdict.reason
    assert "is missing from the store" in rejected.verdict.reason


async def test_policies_are_data_with_revisions_and_only_an_admin_changes_them(client, bus_settings, keyring) -> None:
    lenient = {"mode": "automatic", "gates": [{"metric": "exact_match", "at_least": 0.2}]}
    assert (await client.put("/v1/policies/lenient", json=lenient)).status_code == 403
    admin = as_reviewer(client, keyring.create("admin", ("admin",)))
    assert (await client.put("/v1/policies/lenient", json=lenient, headers=admin)).json()["revision"] == 1
    assert (await client.put("/v1/policies/lenient", json=lenient, headers=admin)).json()["revision"] == 1
    bad = {"mode": "automatic", "gates": [{"metric": "exact_match"}]}
    assert (await client.put("/v1/policies/lenient", json=bad, headers=admin)).status_code == 400
    assert (await client.put("/v1/policies/a%20b", json=lenient, headers=admin)).status_code == 400
    stricter = {"mode": "automatic", "gates": [{"metric": "exact_match", "at_least": 0.3}]}
    assert (await client.put("/v1/policies/lenient", json=stricter, headers=admin)).json()["revision"] == 2
    names = [policy["name"] for policy in (await client.get("/v1/policies")).json()]
    assert names == ["automatic", "hybrid", "lenient"]
    await send(bus_settings, evaluation(10, 0.35, policy="lenient"), finish(10))
    _, approved = await eventually_said(bus_settings, ReviewScored, ModelApproved)
    assert approved.verdict.policy == "lenient"
    assert (await client.get("/v1/runs/job-1")).json()["run"]["policy"]["revision"] == 2


async def test_reviews_want_the_scope_review(client, keyring) -> None:
    trainer = as_reviewer(client, keyring.create("trainer", ("train",)))
    assert (await client.get("/v1/reviews", headers=trainer)).status_code == 403
    assert (await client.get("/v1/reviews", headers={"authorization": ""})).status_code == 401
    assert (await client.get("/readyz")).json() == {"mongo": "ok", "nats": "ok", "artifacts": "ok"}
