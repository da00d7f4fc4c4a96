"""Posted events: they cannot replace, forge or swallow the events of services and other keys."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from httpx import AsyncClient, Response

from shared.cloudevents import Envelope, EventData
from shared.events import (
    Artifact,
    DatasetUploaded,
    Failure,
    FeedbackRecorded,
    ReviewOpened,
    TrainingFinished,
    TrainingRequested,
    TrainingSpec,
)
from shared.settings import CommonSettings
from tests.gateway import BASE, Gateway, candidate, eventually, review, rows, running

ABSENT = Artifact(uri="memory://x", sha256="ab" * 32, bytes=7)


@pytest.fixture
async def gateway(bus_settings: CommonSettings) -> AsyncIterator[Gateway]:
    async with running(bus_settings, ["http://127.0.0.1:9"]) as gateway:
        yield gateway


def body(event: EventData, **changes: Any) -> dict[str, Any]:
    return {**Envelope.of(event, "test").model_dump(mode="json", exclude_none=True), **changes}


async def post(http: AsyncClient, event: EventData, **changes: Any) -> Response:
    return await http.post("/v1/events", json=body(event, **changes))


async def job_of(gateway: Gateway) -> str:
    async with gateway.sdk("train") as sdk:
        file = await sdk.files.create(file=("a.jsonl", rows(12)), purpose="fine-tune")
        return (await sdk.fine_tuning.jobs.create(model=BASE, training_file=file.id)).id


async def status(gateway: Gateway, job_id: str) -> str:
    async with gateway.sdk("admin") as sdk:
        return (await sdk.fine_tuning.jobs.retrieve(job_id)).status


async def test_a_posted_event_with_the_id_of_a_fact_does_not_swallow_the_fact(gateway: Gateway) -> None:
    job = await job_of(gateway)
    failure = Failure(code="out_of_memory", message="too little memory")
    fact = TrainingFinished(job_id=job, status="failed", error=failure)
    async with gateway.http("infer") as http:
        feedback = FeedbackRecorded(completion_id="chatcmpl-1", model=BASE, rating="good")
        answer = await post(http, feedback, id=Envelope.of(fact, "trainer").id)
        assert answer.status_code == 202
        assert answer.json()["id"] != Envelope.of(fact, "trainer").id
    await gateway.say(fact)

    async def failed() -> bool:
        return await status(gateway, job) == "failed"

    await eventually(failed)


async def test_facts_need_the_scope_publish_which_admin_does_not_include(gateway: Gateway) -> None:
    job = await job_of(gateway)
    fact = review(candidate(job))
    for scopes in (("review",), ("train",), ("admin",)):
        async with gateway.http(*scopes) as http:
            answer = await post(http, fact)
            assert answer.status_code == 403, (scopes, answer.text)
    assert await status(gateway, job) != "succeeded"
    store = gateway.artifacts
    held = store.put_bytes(b"weights")
    async with gateway.http("publish") as http:
        answer = await post(http, review(candidate(job, adapter=held)))
        assert answer.status_code == 202, answer.text

    async def opened() -> bool:
        return await status(gateway, job) == "succeeded"

    await eventually(opened)
    assert [event.review_id for event in await gateway.heard(ReviewOpened)] == [fact.review_id]


async def test_an_id_means_one_content_and_a_repeated_post_is_one_event(gateway: Gateway) -> None:
    async with gateway.http("infer") as http, gateway.http("infer") as other:
        good = FeedbackRecorded(completion_id="chatcmpl-1", model=BASE, rating="good")
        bad = FeedbackRecorded(completion_id="chatcmpl-1", model=BASE, rating="bad")
        first = await post(http, good, id="one")
        again = await post(http, good, id="one")
        assert (first.status_code, again.status_code) == (202, 202)
        assert first.json()["id"] == again.json()["id"]
        clash = await post(http, bad, id="one")
        assert (clash.status_code, clash.json()["error"]["code"]) == (409, "id_reused")
        assert (await post(other, bad, id="one")).status_code == 202, "ids of other keys are other ids"
    assert [event.rating for event in await gateway.heard(FeedbackRecorded)] == ["good", "bad"]


async def test_the_server_sets_source_and_time(gateway: Gateway) -> None:
    async with gateway.http("infer") as http:
        feedback = FeedbackRecorded(completion_id="chatcmpl-1", model=BASE, rating="good")
        forged = {"source": "urn:assay:trainer", "time": "2001-01-01T00:00:00Z"}
        assert (await post(http, feedback, **forged)).status_code == 202
        unknown = await post(http, feedback, priority="high")
        assert (unknown.status_code, unknown.json()["error"]["param"]) == (400, "priority")
    [envelope] = await gateway.envelopes(FeedbackRecorded)
    assert envelope.source.startswith("urn:assay:key:")
    assert envelope.time.year > 2001


async def test_feedback_needs_a_model_that_the_key_may_call(gateway: Gateway) -> None:
    async with gateway.http("infer") as http:
        answer = await post(http, FeedbackRecorded(completion_id="c", model="ft:unknown", rating="good"))
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "model_not_found")


async def test_an_artifact_that_is_missing_or_of_another_key_is_refused_at_once(gateway: Gateway) -> None:
    async with gateway.sdk("train") as sdk, gateway.http("train") as http, gateway.http("train") as owner:
        await sdk.files.create(file=("a.jsonl", rows(12)), purpose="fine-tune")
        missing = await post(http, DatasetUploaded(file_id="file-new", filename="a", artifact=ABSENT))
        assert (missing.status_code, missing.json()["error"]["code"]) == (400, "artifact_not_found")
        assert (await http.get("/v1/files/file-new")).status_code == 404
        theirs = gateway.artifacts.put_bytes(rows(12))
        taken = await post(http, DatasetUploaded(file_id="file-new", filename="a", artifact=theirs))
        assert (taken.status_code, taken.json()["error"]["param"]) == (400, "data.artifact")
        free = gateway.artifacts.put_bytes(rows(13))
        assert (await post(owner, DatasetUploaded(file_id="file-1", filename="a", artifact=free))).status_code == 202


async def test_only_requests_about_own_resources_are_accepted(gateway: Gateway) -> None:
    job = await job_of(gateway)
    async with gateway.http("train") as http:
        spec = TrainingSpec(base_model=BASE)
        answer = await post(http, TrainingRequested(job_id=job, training_file="file-x", spec=spec))
        assert answer.status_code == 404
