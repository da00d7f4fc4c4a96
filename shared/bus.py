"""Events over NATS JetStream, and the whole delivery policy: acknowledge, retry, heartbeat, dead-letter."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar, cast

from faststream import AckPolicy
from faststream.nats import JStream, NatsBroker, PullSub
from faststream.nats.annotations import NatsMessage
from nats.errors import (
    ConnectionClosedError,
    ConnectionReconnectingError,
    MaxPayloadError,
    NoServersError,
    OutboundBufferLimitError,
)
from nats.js.errors import APIError
from pydantic import ValidationError
from pydantic_core import PydanticSerializationError

from shared import dead_letters, events, telemetry, topology
from shared.bounds import BoundsError
from shared.cloudevents import CONTENT_TYPE, Envelope, EventData
from shared.dead_letters import DeadLetter
from shared.nats_replies import connection_options, reply_prefix
from shared.outages import Outages
from shared.store import BaseStore
from shared.topology import ACK_WAIT_S, EVENTS_STREAM, PUBLISH_TIMEOUT_S, Consumer, stream_of

E = TypeVar("E", bound=EventData)
Handler = Callable[[E], Awaitable[None]]
DatedHandler = Callable[[E, datetime], Awaitable[None]]
"""Gets the time of the fact too, which decides what came first: events may arrive in any order."""

OUTAGES = (TimeoutError, OSError, ConnectionClosedError, NoServersError, OutboundBufferLimitError)
"""Errors of a connection to NATS, which concern every event."""
_MESSAGE_TOO_LARGE = 10054
# Long enough that a stopping process does not fetch again what it gave back.
LEAVING_DELAY_S = 1.0
_log = telemetry.logger(__name__)


class PermanentError(Exception):
    """Raised by a handler when trying again cannot help: the event goes to the dead letters at once."""


class UnreadableError(Exception):
    """A message is not a known event."""


class UnpublishableError(Exception):
    """An event can never be published: it is too large for NATS, or is not valid JSON."""


@dataclass(frozen=True)
class RetryPolicy:
    """How long to wait before each further delivery, in seconds; the last value is used from then on."""

    delays_s: Sequence[float] = (1, 2, 5, 15, 30, 60)

    def delay_s(self, delivery: int) -> float:
        """The wait after the delivery of that number, counted from 1."""
        return self.delays_s[min(delivery, len(self.delays_s)) - 1]


class Bus:
    """One service's connection to the events."""

    def __init__(self, nats_url: str, service: str, store: BaseStore, retry: RetryPolicy | None = None) -> None:
        self.service = service
        self._store = store
        self._retry = retry or RetryPolicy()
        self.outages = Outages({"mongo": store.check})
        """What the handlers depend on; `shared.web.connections` names all dependencies of the service."""
        self._running: set[asyncio.Task[Any]] = set()
        self._leaving = False
        self.broker = NatsBroker(
            nats_url.split(","),
            # By default the client gives up for good after two minutes without a server.
            max_reconnect_attempts=-1,
            graceful_timeout=10,
            **connection_options(service),
            apply_types=True,
            logger=None,
        )

    def subscribe(self, event: type[E], handler: Handler[E]) -> None:
        """Handle an event. `handler` is called once for each, or again after it failed or its process died."""

        async def handle(data: E, time: datetime) -> None:
            await handler(data)

        self.subscribe_dated(event, handle)

    def subscribe_dated(self, event: type[E], handler: DatedHandler[E]) -> None:
        """Like `subscribe`, for a handler that also needs the time of the fact."""
        consumer = topology.consumer_of(self.service, event)

        async def deliver(message: NatsMessage) -> None:
            await self._deliver(message, consumer, cast(DatedHandler[Any], handler))

        self.broker.subscriber(
            event.type,
            stream=JStream(consumer.stream, declare=False),
            durable=consumer.name,
            config=topology.consumer_config(consumer),
            pull_sub=PullSub(batch_size=1, timeout=5),
            inbox_prefix=f"{reply_prefix(self.service)}.".encode(),
            ack_policy=AckPolicy.MANUAL,
            title=consumer.name,
        )(deliver)

    async def publish(self, envelope: Envelope) -> None:
        """Store one event in the stream; raises when the server did not confirm it. Safe to repeat.

        Raises `UnpublishableError` when repeating cannot help, and one of `OUTAGES` while NATS is away.
        """
        headers = {"Nats-Msg-Id": envelope.id, "content-type": CONTENT_TYPE}
        if envelope.traceparent:
            headers["traceparent"] = envelope.traceparent
        try:
            body = envelope.model_dump_json(exclude_none=True).encode()
            await self.broker.publish(
                body, envelope.type, stream=_stream_of(envelope), timeout=PUBLISH_TIMEOUT_S, headers=headers
            )
        except (MaxPayloadError, PydanticSerializationError, UnicodeError) as error:
            raise UnpublishableError(f"{type(error).__name__}: {error}") from None
        except APIError as error:
            if error.err_code == _MESSAGE_TOO_LARGE:
                raise UnpublishableError(str(error)) from None
            raise

    async def report_unpublishable(self, envelope: Envelope, error: Exception) -> None:
        """Publish a dead letter that describes an event which cannot be published itself."""
        await dead_letters.publish(self.broker, dead_letters.of_unpublishable(self.service, envelope, error))

    async def start(self) -> None:
        await self.broker.start()

    async def stop(self) -> None:
        """Return unfinished events at once, so that another replica takes them, and disconnect."""
        self._leaving = True
        for task in list(self._running):
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        try:
            await self.broker.stop()
        except ConnectionReconnectingError:
            # Nothing can be drained while NATS is away. JetStream delivers again what was not acknowledged.
            await self._connection.close()

    async def check(self) -> None:
        """Raise an error when NATS does not answer or a consumer of this service is missing."""
        js = self.jetstream
        for consumer in topology.CONSUMERS:
            if consumer.service == self.service:
                await js.consumer_info(consumer.stream, consumer.name, timeout=2)

    @property
    def jetstream(self) -> Any:
        """The JetStream context of the open connection; raises `ConnectionError` without one."""
        return self._connection.jetstream()

    @property
    def _connection(self) -> Any:
        return self.broker.config.broker_config.connection_state.connection

    async def _deliver(self, message: NatsMessage, consumer: Consumer, handler: DatedHandler[Any]) -> None:
        """The delivery policy, for every message of every service."""
        if self._leaving:
            await message.nack(delay=LEAVING_DELAY_S)
            return
        task = asyncio.current_task()
        assert task is not None
        self._running.add(task)
        heartbeat = asyncio.create_task(_keep_alive(message))
        delivery = message.raw_message.metadata.num_delivered
        try:
            await self._handle_after_outages(message.body, consumer, handler)
            await message.ack()
        except (UnreadableError, BoundsError, PermanentError) as error:
            await self._dead_letter(message, consumer, delivery, error)
        except asyncio.CancelledError:
            await message.nack(delay=LEAVING_DELAY_S)
            raise
        except Exception as error:
            if delivery >= consumer.max_deliver:
                await self._dead_letter(message, consumer, delivery, error)
                return
            delay_s = self._retry.delay_s(delivery)
            _log.warning("will be retried", consumer=consumer.name, delivery=delivery, delay_s=delay_s, exc_info=error)
            # Without a delay the server delivers again at once, in a busy loop.
            await message.nack(delay=delay_s)
        finally:
            heartbeat.cancel()
            self._running.discard(task)

    async def _handle_after_outages(self, body: bytes, consumer: Consumer, handler: DatedHandler[Any]) -> None:
        """Handle an event, again after each outage, so that an outage uses up no deliveries."""
        while True:
            try:
                return await self._handle(body, consumer, handler)
            except (UnreadableError, BoundsError):
                raise
            except Exception as error:
                if not (away := await self.outages.away()):
                    raise
                _log.warning("to be handled again after an outage", consumer=consumer.name, away=away, exc_info=error)
            await self.outages.end()

    async def _handle(self, body: bytes, consumer: Consumer, handler: DatedHandler[Any]) -> None:
        envelope, event = _read(body)
        with telemetry.trace(envelope.traceparent, event=envelope.type, event_id=envelope.id, about=envelope.subject):
            if await self._store.seen(consumer.name, envelope.id):
                _log.info("already handled", consumer=consumer.name)
                return
            await handler(event, envelope.time)
            await self._store.mark_seen(consumer.name, envelope.id)
            _log.info("handled", consumer=consumer.name)

    async def _dead_letter(self, message: NatsMessage, consumer: Consumer, delivery: int, error: Exception) -> None:
        _log.error("dead letter", consumer=consumer.name, delivery=delivery, exc_info=error)
        key = f"{message.raw_message.metadata.sequence.stream}/{delivery}"
        await dead_letters.publish(self.broker, DeadLetter(consumer.name, key, delivery, error, message.body))
        await message.ack()


def _stream_of(envelope: Envelope) -> str:
    event = events.EVENTS.get(envelope.type)
    return stream_of(event) if event else EVENTS_STREAM


def _read(body: bytes) -> tuple[Envelope, EventData]:
    """The event in a message; raises `UnreadableError`, unlike a pydantic error in a handler, which is retried."""
    try:
        envelope = Envelope.model_validate_json(body)
        return envelope, events.parse(envelope)
    except (ValidationError, events.UnknownEventTypeError) as error:
        raise UnreadableError(str(error)) from None


async def _keep_alive(message: NatsMessage) -> None:
    """Tell the server that the work continues, so that no other replica gets the event."""
    while True:
        await asyncio.sleep(ACK_WAIT_S / 3)
        with suppress(Exception):
            await message.in_progress()
