"""Events are fetched at once, also after an idle time, and none is held back."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import nats
import pytest
from nats.aio.client import Client
from nats.js.api import AckPolicy, ConsumerConfig, StreamConfig
from nats.js.errors import APIError

from shared.pull import WAIT_S, Pull
from tests.conftest import NatsServer
from tests.ports import free_port

STREAM, SUBJECT = "PULLED", "pulled.event"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[NatsServer]:
    server = NatsServer(free_port(), tmp_path)
    server.start()
    yield server
    server.kill()


@pytest.fixture
async def client(server: NatsServer) -> AsyncIterator[Client]:
    client = await nats.connect(server.url, reconnect_time_wait=0.2)
    await client.jetstream().add_stream(StreamConfig(name=STREAM, subjects=[SUBJECT]))
    yield client
    await client.close()


async def pull_of(client: Client, name: str) -> Pull:
    js = client.jetstream()
    await js.add_consumer(STREAM, ConsumerConfig(durable_name=name, ack_policy=AckPolicy.EXPLICIT, ack_wait=30))
    pull = Pull(client, STREAM, name)
    await pull.start()
    return pull


async def publish(client: Client, *bodies: str) -> None:
    for body in bodies:
        await client.jetstream().publish(SUBJECT, body.encode())


async def state(client: Client, name: str, *, waiting: int = 0, sent: int = 0) -> None:
    """Wait until the server holds so many requests of a consumer, and has sent so many events."""
    async with asyncio.timeout(10):
        while True:
            info = await client.jetstream().consumer_info(STREAM, name)
            if (info.num_waiting, info.num_ack_pending) == (waiting, sent):
                return
            await asyncio.sleep(0.02)


async def test_after_an_idle_time_every_event_comes_at_once(client: Client) -> None:
    """With the client's own `fetch`, one consumer in ten got an event seconds later."""
    took_s: list[float] = []

    async def consume(pull: Pull) -> None:
        while True:
            for message in await pull.fetch(100):
                took_s.append(time.time() - float(message.data))
                await message.ack()

    tasks = [asyncio.create_task(consume(await pull_of(client, f"idle-{number}"))) for number in range(60)]
    await asyncio.sleep(2 * WAIT_S + 1)
    for _ in range(4):
        await publish(client, str(time.time()))
        await asyncio.sleep(0.05)
    await asyncio.sleep(WAIT_S + 1)
    for task in tasks:
        task.cancel()
    assert len(took_s) == 4 * len(tasks)
    assert max(took_s) < 2


async def test_what_waits_is_fetched_in_order_and_up_to_the_limit(client: Client) -> None:
    pull = await pull_of(client, "backlog")
    await publish(client, *map(str, range(25)))
    batches = [await pull.fetch(10) for _ in range(3)]
    assert [len(batch) for batch in batches] == [10, 10, 5]
    assert [int(message.data) for batch in batches for message in batch] == list(range(25))


async def test_without_events_a_fetch_ends_empty(client: Client) -> None:
    pull = await pull_of(client, "empty")
    assert await pull.fetch(10) == []


async def test_what_a_cancelled_fetch_had_taken_is_given_back(client: Client) -> None:
    leaving, staying = await pull_of(client, "shared"), Pull(client, STREAM, "shared")
    await staying.start()
    fetching = asyncio.create_task(leaving.fetch(1))
    await state(client, "shared", waiting=1)
    fetching.cancel()
    await asyncio.wait([fetching])
    # The server still holds the request, and sends the event to the process that asked.
    await publish(client, "one")
    await state(client, "shared", sent=1)
    await leaving.stop(0.1)
    [message] = await staying.fetch(1)
    assert (message.data, message.metadata.num_delivered) == (b"one", 2)


async def test_a_request_that_the_server_refuses_is_an_error(client: Client) -> None:
    pull = await pull_of(client, "deleted")
    fetching = asyncio.create_task(pull.fetch(10))
    await state(client, "deleted", waiting=1)
    await client.jetstream().delete_consumer(STREAM, "deleted")
    with pytest.raises(APIError):
        await fetching


async def test_what_comes_too_late_is_returned_first_and_nothing_more_is_asked_for(client: Client) -> None:
    """Otherwise each later request would bring an event that waits while another one is handled."""
    pull = await pull_of(client, "late")
    ask = json.dumps({"batch": 2}).encode()
    await client.publish(f"$JS.API.CONSUMER.MSG.NEXT.{STREAM}.late", ask, reply=f"{pull._inbox}.0")
    await publish(client, "one", "two", "three")
    await state(client, "late", sent=2)
    assert [message.data for message in await pull.fetch(1)] == [b"one"]
    assert [message.data for message in await pull.fetch(1)] == [b"two"]
    info = await client.jetstream().consumer_info(STREAM, "late")
    assert (info.num_ack_pending, info.num_waiting) == (2, 0)
    assert [message.data for message in await pull.fetch(1)] == [b"three"]


async def test_events_that_were_given_back_come_together_again(client: Client) -> None:
    pull = await pull_of(client, "again")
    await publish(client, *map(str, range(5)))
    for message in await pull.fetch(10):
        await message.nak(delay=0.1)
    await asyncio.sleep(1)
    assert len(await pull.fetch(10)) == 5


async def test_while_nats_is_away_no_requests_pile_up(client: Client, server: NatsServer) -> None:
    pull = await pull_of(client, "away")
    server.kill()
    while not client.is_reconnecting:
        await asyncio.sleep(0.05)
    for _ in range(5):
        with pytest.raises(TimeoutError):
            await pull.fetch(10)
    server.start()
    while not client.is_connected:
        await asyncio.sleep(0.05)
    assert (await client.jetstream().consumer_info(STREAM, "away")).num_waiting == 0
    await publish(client, "one")
    assert [message.data for message in await pull.fetch(10)] == [b"one"]
