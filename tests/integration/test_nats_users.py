"""NATS refuses a service's user what other services publish, read and manage."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import nats
import pytest
from nats.errors import Error as NatsError

from shared import events, topology
from shared.bus import Bus
from shared.cloudevents import Envelope
from shared.keys import SharedKeys
from shared.nats_replies import reply_prefix
from shared.nats_users import OPERATOR, PUBLISHED, TOPOLOGY, USERS, authorization
from shared.security import Keyring
from shared.settings import CommonSettings
from shared.store import MemoryStore
from tests.conftest import NatsServer
from tests.gateway import approved, candidate
from tests.ports import free_port

REFUSED_S = 1.0


@pytest.fixture
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[NatsServer]:
    """A server with users, whose streams the user `topology` declared."""
    made = NatsServer(free_port(), tmp_path_factory.mktemp("nats"))
    made.authorization = authorization({user: f"of-{user}" for user in USERS})
    made.start()
    async with connected(made, TOPOLOGY) as connection:
        await topology.declare(connection.jetstream(), CommonSettings())
    yield made
    made.kill()


def url_of(server: NatsServer, user: str) -> str:
    return f"nats://{user}:of-{user}@127.0.0.1:{server.port}"


@asynccontextmanager
async def connected(server: NatsServer, user: str) -> AsyncIterator[Any]:
    async def ignore(_error: Exception) -> None:
        """A refusal is an error of the connection; the test looks at its effect."""

    prefix = reply_prefix(user)
    connection = await nats.connect(url_of(server, user), inbox_prefix=prefix, error_cb=ignore)
    yield connection
    await connection.close()


async def test_a_service_cannot_publish_a_fact_of_another_service(server: NatsServer) -> None:
    envelope = Envelope.of(approved(candidate("ftjob-1")), "review")
    body = envelope.model_dump_json().encode()
    async with connected(server, OPERATOR) as operator:
        for service in ("ingest", "trainer", "evaluator"):
            async with connected(server, service) as connection:
                with pytest.raises((NatsError, TimeoutError)):
                    await connection.jetstream().publish(envelope.type, body, timeout=REFUSED_S)
        assert (await operator.jetstream().stream_info(topology.EVENTS_STREAM)).state.messages == 0
        async with connected(server, "review") as connection:
            await connection.jetstream().publish(envelope.type, body)
        assert (await operator.jetstream().stream_info(topology.EVENTS_STREAM)).state.messages == 1


async def test_a_service_can_neither_read_nor_change_what_is_not_its_own(server: NatsServer) -> None:
    async with connected(server, "ingest") as connection:
        js = connection.jetstream(timeout=REFUSED_S)
        for refused in (
            lambda: js.consumer_info(topology.EVENTS_STREAM, "review-eval_done"),
            lambda: js.get_msg(topology.EVENTS_STREAM, 1),
            lambda: js.purge_stream(topology.EVENTS_STREAM),
            lambda: js.delete_stream(topology.KEYS_STREAM),
            lambda: js.publish(f"{topology.KEYS_PREFIX}.key_1", b"{}"),
            lambda: js.publish(f"{topology.SESSIONS_PREFIX}.key_1", b"{}"),
        ):
            with pytest.raises((NatsError, TimeoutError)):
                await refused()
        spied: list[Any] = []

        async def spy(message: Any) -> None:
            spied.append(message)

        await connection.subscribe("_INBOX.review.>", cb=spy)
        await connection.subscribe("model.approved", cb=spy)
        async with connected(server, OPERATOR) as operator:
            await operator.publish("_INBOX.review.1", b"secret")
            await operator.publish("model.approved", b"secret")
            await operator.flush()
        await asyncio.sleep(0.2)
        assert spied == []


@pytest.mark.parametrize("service", list(PUBLISHED))
async def test_each_service_works_with_its_own_user(server: NatsServer, tmp_path: Path, service: str) -> None:
    bus = Bus(url_of(server, service), service, MemoryStore(service))
    handled = asyncio.Event()
    consumer = next(each for each in topology.CONSUMERS if each.service == service)

    async def handle(_event: Any) -> None:
        handled.set()

    bus.subscribe(consumer.event, handle)
    await bus.start()
    await bus.check()
    await SharedKeys(bus, Keyring(tmp_path / "keys.json")).catch_up()
    # Every event that it may publish, valid or not: the stream takes it.
    for event in (*PUBLISHED[service], events.AuditRecorded):
        await bus.jetstream.publish(event.type, b"{}", stream=topology.stream_of(event))
    async with connected(server, OPERATOR) as operator:
        example = Envelope(id="1", source="urn:assay:test", type=consumer.event.type, subject="x", data={})
        await operator.jetstream().publish(consumer.event.type, example.model_dump_json(exclude_none=True).encode())
        info = await operator.jetstream().consumer_info(consumer.stream, consumer.name)
        async with asyncio.timeout(20):
            # Data without fields cannot be read, so it becomes a dead letter, which the service publishes.
            while info.num_pending or info.num_ack_pending:
                await asyncio.sleep(0.1)
                info = await operator.jetstream().consumer_info(consumer.stream, consumer.name)
        dead = await operator.jetstream().stream_info(topology.DEAD_STREAM)
    await bus.stop()
    assert handled.is_set() or dead.state.messages >= 1
