"""Dead letters: listed, and replayed one by one or all of a filter, over real NATS and MongoDB."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Any

import httpx
import pytest

from shared.bus import Bus, PermanentError
from shared.cloudevents import Envelope
from shared.events import TrainingCancelRequested
from shared.settings import CommonSettings
from shared.store import Store
from shared.topology import DEAD_PREFIX, DEAD_STREAM
from tests.gateway import Gateway, eventually, running
from tests.jetstream import jetstream, stored_messages
from tests.ports import free_port

TRAINER, EVALUATOR = "trainer-training_cancel_requested", "evaluator-checkpoint_saved"


@pytest.fixture
async def gateway(bus_settings: CommonSettings) -> AsyncIterator[Gateway]:
    async with running(bus_settings, [f"http://127.0.0.1:{free_port()}"]) as gateway:
        yield gateway


async def test_a_dead_letter_is_seen_and_replayed_to_the_consumer_that_failed(gateway, bus_settings) -> None:
    heard: list[str] = []

    async def handle(event: TrainingCancelRequested) -> None:
        heard.append(event.job_id)
        if len(heard) == 1:
            raise PermanentError("the disk is full")

    store = Store(bus_settings.mongo_url, f"{bus_settings.database_prefix}trainer", "trainer")
    trainer = Bus(bus_settings.nats_url, "trainer", store)
    trainer.subscribe(TrainingCancelRequested, handle)
    await trainer.start()
    async with gateway.http("admin") as http:
        await gateway.say(TrainingCancelRequested(job_id="a"))

        async def letters() -> list[dict[str, Any]]:
            return (await http.get("/v1/dead_letters")).json()["data"]

        [letter] = await eventually(letters)
        assert letter["consumer"] == "trainer-training_cancel_requested"
        assert "the disk is full" in letter["error"]
        assert letter["event"]["data"] == {"job_id": "a"}
        replayed = await http.post(f"/v1/dead_letters/{letter['id']}/replay")
        assert replayed.status_code == 202
        await eventually(lambda: heard == ["a", "a"])
        assert await letters() == []
        assert (await http.post(f"/v1/dead_letters/{letter['id']}/replay")).status_code == 404
    await trainer.stop()
    store.close()


async def add_letters(settings: CommonSettings, consumer: str, bodies: Iterable[bytes]) -> None:
    async with jetstream(settings) as js:
        subject, headers = f"{DEAD_PREFIX}.{consumer}", {"assay-consumer": consumer}
        await asyncio.gather(*(js.publish(subject, body, stream=DEAD_STREAM, headers=headers) for body in bodies))


def cancelled(job_id: str) -> bytes:
    return Envelope.of(TrainingCancelRequested(job_id=job_id), "test").model_dump_json(exclude_none=True).encode()


async def letters(http: httpx.AsyncClient, **filters: Any) -> dict[str, Any]:
    answer = await http.get("/v1/dead_letters", params=filters)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def replay(http: httpx.AsyncClient, **filters: Any) -> dict[str, Any]:
    answer = await http.post("/v1/dead_letters/replay", json=filters)
    assert answer.status_code == 202, answer.text
    return answer.json()


async def test_all_letters_of_a_filter_are_replayed_the_oldest_first_and_the_others_stay_visible(
    gateway: Gateway, bus_settings: CommonSettings
) -> None:
    await add_letters(bus_settings, EVALUATOR, [b"not an event", cancelled("other-1"), cancelled("other-2")])
    await add_letters(bus_settings, TRAINER, [cancelled(f"job-{n}") for n in range(1010)])
    async with gateway.http("admin") as http:
        first = await replay(http, consumer=TRAINER)
        assert (first["replayed"], first["has_more"]) == (1000, True)
        [*_, last] = (await letters(http, consumer=TRAINER))["data"]
        assert last["event"]["data"] == {"job_id": "job-1000"}
        assert (await replay(http, consumer=TRAINER, type="training.cancel_requested"))["replayed"] == 10
        # Above them a thousand letters are gone.
        left = await letters(http, limit=2)
        assert [letter["consumer"] for letter in left["data"]] == [EVALUATOR] * 2
        assert left["has_more"]
        assert len((await letters(http, before=left["next_before"]))["data"]) == 1
        assert (await letters(http, type="eval.done"))["data"] == []
        rest = await replay(http)
        assert (rest["replayed"], rest["kept"], rest["has_more"]) == (2, 1, False)
        [stays] = (await letters(http))["data"]
        assert stays["event"] == "not an event"
    replayed = [message for message in await stored(bus_settings) if message.type == "training.cancel_requested"]
    jobs = [event.data["job_id"] for event in replayed]
    assert jobs == [*(f"job-{n}" for n in range(1010)), "other-1", "other-2"]


async def stored(settings: CommonSettings) -> list[Envelope]:
    async with jetstream(settings) as js:
        return [Envelope.model_validate_json(message.data or b"") for message in await stored_messages(js)]


async def test_a_filter_with_an_unknown_field_is_refused(gateway: Gateway, bus_settings: CommonSettings) -> None:
    await add_letters(bus_settings, TRAINER, [cancelled("job")])
    async with gateway.http("admin") as http:
        answer = await http.post("/v1/dead_letters/replay", json={"typ": "training.cancel_requested"})
        assert (answer.status_code, answer.json()["error"]["param"]) == (400, "typ")
        assert len((await letters(http))["data"]) == 1
    async with gateway.http("train") as http:
        assert (await http.post("/v1/dead_letters/replay")).status_code == 403
