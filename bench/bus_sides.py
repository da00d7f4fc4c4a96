"""The sides of `bench/bus.py`: each handles the same events with a handler that only notes the time."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from uuid import uuid4

import nats
from faststream.nats import JStream, NatsBroker, PullSub
from nats.js.errors import NotFoundError

from shared import consumers, topology
from shared.bus import Bus
from shared.cloudevents import CONTENT_TYPE, Envelope
from shared.consumers import EVENTS_STREAM
from shared.events import TrainingQueued
from shared.settings import CommonSettings
from shared.store import BaseStore, MemoryStore, Store

CONSUMER = consumers.consumer_of("gateway", TrainingQueued)
_HEADERS = {"content-type": CONTENT_TYPE}
_BATCH = 100


@dataclass(frozen=True)
class Servers:
    nats_url: str
    mongo_url: str


@dataclass(frozen=True)
class Outcome:
    """From publishing to the handler for single events, and how long the backlog took."""

    latencies_s: list[float]
    drained_s: float


@dataclass
class Handler:
    """What every side calls for each event; `handled_at` is by job."""

    wanted: int = 0
    handled_at: dict[str, float] = field(default_factory=dict[str, float])
    done: asyncio.Event = field(default_factory=asyncio.Event)

    async def handle(self, event: TrainingQueued) -> None:
        self.handled_at[event.job_id] = time.perf_counter()
        if len(self.handled_at) == self.wanted:
            self.done.set()


class NoInbox(MemoryStore):
    """A store that remembers no events."""

    async def seen(self, consumer: str, event_ids: Sequence[str]) -> set[str]:
        return set()

    async def mark_seen(self, consumer: str, event_ids: Sequence[str]) -> None:
        return


Running = Callable[[Servers, Handler, BaseStore], AbstractAsyncContextManager[None]]


@asynccontextmanager
async def assay(servers: Servers, handler: Handler, store: BaseStore) -> AsyncGenerator[None]:
    bus = Bus(servers.nats_url, CONSUMER.service, store)
    bus.subscribe(TrainingQueued, handler.handle)
    await bus.start()
    yield
    await bus.stop()


@asynccontextmanager
async def bare(servers: Servers, handler: Handler, store: BaseStore) -> AsyncGenerator[None]:
    """nats-py alone: events in batches, read like Assay's, and the same inbox."""
    client = await nats.connect(servers.nats_url)
    pulled = await client.jetstream().pull_subscribe_bind(CONSUMER.name, EVENTS_STREAM)

    async def consume() -> None:
        while True:
            with suppress(TimeoutError):
                messages = await pulled.fetch(_BATCH, timeout=5)
                envelopes = [Envelope.model_validate_json(message.data) for message in messages]
                seen = await store.seen(CONSUMER.name, [envelope.id for envelope in envelopes])
                for envelope in envelopes:
                    if envelope.id not in seen:
                        await handler.handle(TrainingQueued.model_validate(envelope.data))
                await store.mark_seen(CONSUMER.name, [envelope.id for envelope in envelopes])
                for message in messages:
                    await message.ack()

    task = asyncio.create_task(consume())
    yield
    task.cancel()
    await client.close()


@asynccontextmanager
async def faststream(servers: Servers, handler: Handler, store: BaseStore) -> AsyncGenerator[None]:
    """FastStream's defaults for a durable pull consumer."""
    broker = NatsBroker(servers.nats_url, logger=None)

    @broker.subscriber(
        CONSUMER.event.type, stream=JStream(EVENTS_STREAM, declare=False), durable=CONSUMER.name, pull_sub=PullSub()
    )
    async def handle(body: bytes) -> None:
        envelope = Envelope.model_validate_json(body)
        if not await store.seen(CONSUMER.name, [envelope.id]):
            await handler.handle(TrainingQueued.model_validate(envelope.data))
            await store.mark_seen(CONSUMER.name, [envelope.id])

    await broker.start()
    yield
    await broker.stop()


async def measure(run: Running, inbox: bool, servers: Servers, *, single: int, backlog: int) -> Outcome:
    """Both measurements of one side, each with a new consumer and an empty inbox."""
    latencies = await _measured(run, inbox, servers, partial(_one_by_one, count=single))
    [drained_s] = await _measured(run, inbox, servers, partial(_drain, count=backlog))
    return Outcome(latencies, drained_s)


Measurement = Callable[[Any, Handler, Callable[[], AbstractAsyncContextManager[None]]], Awaitable[list[float]]]


async def _measured(run: Running, inbox: bool, servers: Servers, measurement: Measurement) -> list[float]:
    store = Store(servers.mongo_url, f"bench_{uuid4().hex}", "bench") if inbox else NoInbox("bench")
    client = await nats.connect(servers.nats_url)
    js, handler = client.jetstream(timeout=30), Handler()
    await _start_over(js)
    try:
        return await measurement(js, handler, lambda: run(servers, handler, store))
    finally:
        store.close()
        await client.close()


async def _start_over(js: Any) -> None:
    for stream in topology.streams(CommonSettings()):
        assert stream.name is not None
        with suppress(NotFoundError):
            await js.delete_stream(stream.name)
        await js.add_stream(stream)
    await js.add_consumer(EVENTS_STREAM, consumers.consumer_config(CONSUMER))


async def _one_by_one(
    js: Any, handler: Handler, side: Callable[[], AbstractAsyncContextManager[None]], *, count: int
) -> list[float]:
    """Each event is published when the one before was handled and acknowledged."""
    latencies: list[float] = []
    async with side():
        await asyncio.sleep(0.5)
        for place in range(count):
            handler.wanted, body = place + 1, _body(place)
            handler.done.clear()
            published_at = time.perf_counter()
            await js.publish(CONSUMER.event.type, body, headers=_HEADERS)
            async with asyncio.timeout(10):
                await handler.done.wait()
            latencies.append(handler.handled_at[f"job-{place}"] - published_at)
            await asyncio.sleep(0.01)
    return latencies


async def _drain(
    js: Any, handler: Handler, side: Callable[[], AbstractAsyncContextManager[None]], *, count: int
) -> list[float]:
    """The time from the start of the consumer until every event was handled and acknowledged."""
    handler.wanted = count
    for place in range(count):
        await js._nc.publish(CONSUMER.event.type, _body(place), headers=_HEADERS)
        if place % 1000 == 999:
            await js._nc.flush()
    await js._nc.flush()
    while (await js.stream_info(EVENTS_STREAM)).state.messages < count:
        await asyncio.sleep(0.05)
    started = time.perf_counter()
    async with side():
        await handler.done.wait()
        while (await js.consumer_info(EVENTS_STREAM, CONSUMER.name)).num_ack_pending:
            await asyncio.sleep(0.005)
        return [time.perf_counter() - started]


def _body(place: int) -> bytes:
    return Envelope.of(TrainingQueued(job_id=f"job-{place}"), "bench").model_dump_json(exclude_none=True).encode()


Side = Callable[..., Awaitable[Outcome]]
SIDES: dict[str, Side] = {
    f"{name}, inbox" if inbox else name: partial(measure, run, inbox)
    for inbox in (True, False)
    for name, run in (("assay", assay), ("nats-py", bare), ("FastStream", faststream))
}
SLOW = {name for name in SIDES if name.startswith("FastStream")}
