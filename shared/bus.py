"""Events over NATS JetStream: publishing, and the subscriptions of one service."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any, TypeVar, cast

from faststream.nats import NatsBroker
from nats.errors import (
    ConnectionClosedError,
    ConnectionReconnectingError,
    MaxPayloadError,
    NoServersError,
    OutboundBufferLimitError,
)
from nats.js.errors import APIError, NotFoundError
from nats.js.errors import Error as JetStreamError
from pydantic_core import PydanticSerializationError

from shared import cancellation, consumers, dead_letters, events, telemetry, tracing
from shared.cloudevents import CONTENT_TYPE, Envelope, EventData, source_of
from shared.consumers import EVENTS_STREAM, Consumer, stream_of
from shared.delivery import LEAVING_DELAY_S, Deliveries, PermanentError, RetryPolicy, Subscription
from shared.nats_replies import connection_options
from shared.outages import Outages
from shared.pull import Pull
from shared.store import BaseStore
from shared.topology import PUBLISH_TIMEOUT_S

__all__ = ["OUTAGES", "PUBLISH_TIMEOUT_S", "Bus", "PermanentError", "RetryPolicy", "UnpublishableError"]

E = TypeVar("E", bound=EventData)
Handler = Callable[[E], Awaitable[None]]
DatedHandler = Callable[[E, datetime], Awaitable[None]]
"""Gets the time of the fact too, which decides what came first: events may arrive in any order."""

OUTAGES = (TimeoutError, OSError, ConnectionClosedError, NoServersError, OutboundBufferLimitError)
"""Errors of a connection to NATS, which concern every event."""
_MESSAGE_TOO_LARGE = 10054
# Facts of this service that fail again and again must not keep it from starting.
RESTORE_S = 60.0
_POLL_S = 0.05
_log = telemetry.logger(__name__)


class UnpublishableError(Exception):
    """An event can never be published: it is too large for NATS, or is not valid JSON."""


class Bus:
    """One service's connection to the events."""

    def __init__(self, nats_url: str, service: str, store: BaseStore, retry: RetryPolicy | None = None) -> None:
        self.service = service
        self.broker = NatsBroker(
            nats_url.split(","),
            # By default the client gives up for good after two minutes without a server.
            max_reconnect_attempts=-1,
            graceful_timeout=10,
            **connection_options(service),
            logger=None,
            middlewares=tracing.broker_middlewares(),
        )
        self._deliveries = Deliveries(self.broker, store, retry or RetryPolicy(), Outages({"mongo": store.check}))
        self._own: list[Subscription] = []
        self._others: list[Subscription] = []
        self._consuming: dict[str, asyncio.Task[None]] = {}
        self._pulls: list[Pull] = []
        self._heartbeat: asyncio.Task[None] | None = None

    @property
    def outages(self) -> Outages:
        """What the handlers depend on; `shared.web.connections` names all dependencies of the service."""
        return self._deliveries.outages

    @outages.setter
    def outages(self, outages: Outages) -> None:
        self._deliveries.outages = outages

    def subscribe(self, event: type[E], handler: Handler[E], *, side_by_side: bool = False) -> None:
        """Handle an event. `handler` is called once for each, or again after it failed or its process died.

        A process handles the events of one type one after another. `side_by_side` handles those about different
        aggregates at the same time; those about one aggregate stay in order.
        """
        consumer = consumers.consumer_of(self.service, event)
        handle = cast(DatedHandler[Any], _undated(handler))
        self._others.append(Subscription(consumer, handle, side_by_side=side_by_side))

    def subscribe_dated(self, event: type[E], handler: DatedHandler[E]) -> None:
        """Like `subscribe`, for a handler that also needs the time of the fact."""
        consumer = consumers.consumer_of(self.service, event)
        self._others.append(Subscription(consumer, cast(DatedHandler[Any], handler)))

    def restore(self, event: type[E], handler: Handler[E]) -> None:
        """Rebuild state from a fact that this service itself published, after its database was lost.

        `start` handles these facts before all other events. In an intact database the handler changes nothing.
        """
        self.restore_dated(event, _undated(handler))

    def restore_dated(self, event: type[E], handler: DatedHandler[E]) -> None:
        """Like `restore`, for a handler that also needs the time of the fact."""
        consumer, source = consumers.consumer_of(self.service, event, own=True), source_of(self.service)
        self._own.append(Subscription(consumer, cast(DatedHandler[Any], handler), source))

    async def publish(self, envelope: Envelope) -> None:
        """Store one event in the stream; raises when the server did not confirm it. Safe to repeat.

        Raises `UnpublishableError` when repeating cannot help, and one of `OUTAGES` while NATS is away.
        """
        headers = {"Nats-Msg-Id": envelope.id, "content-type": CONTENT_TYPE}
        if envelope.traceparent:
            headers["traceparent"] = envelope.traceparent
        try:
            body = envelope.model_dump_json(exclude_none=True).encode()
            # The plugin replaces the header by the context of its own span.
            with tracing.attached(envelope.traceparent):
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
        """Connect, restore what this service published, then subscribe to everything else. May be called again."""
        await self.broker.start()
        self._heartbeat = self._heartbeat or asyncio.create_task(self._deliveries.keep_alive())
        for subscription in self._own:
            await self._subscribe(subscription)
        await self._restored([subscription.consumer for subscription in self._own])
        for subscription in self._others:
            await self._subscribe(subscription)

    async def stop(self) -> None:
        """Return unfinished events at once, so that another replica takes them, and disconnect."""
        await cancellation.end([*self._consuming.values(), *([self._heartbeat] if self._heartbeat else [])])
        for pull in self._pulls:
            await pull.stop(LEAVING_DELAY_S)
        self._pulls.clear()
        try:
            await self.broker.stop()
        except ConnectionReconnectingError:
            # Nothing can be drained while NATS is away. JetStream delivers again what was not acknowledged.
            connection = self._connection
            await connection.close()
            # The client cancels its attempts to reconnect only once.
            await cancellation.end(filter(None, [connection._reconnection_task]))

    async def check(self) -> None:
        """Raise an error when NATS does not answer or a consumer of this service is missing."""
        js = self.jetstream
        for consumer in consumers.CONSUMERS:
            if consumer.service == self.service:
                await js.consumer_info(consumer.stream, consumer.name, timeout=2)

    async def ask(self, subject: str, question: Mapping[str, Any]) -> Any:
        """The answer of JetStream's own API to a question that the driver has no method for; raises `APIError`."""
        answer = await self._connection.request(subject, json.dumps(question).encode(), timeout=PUBLISH_TIMEOUT_S)
        found = json.loads(answer.data)
        if "error" in found:
            APIError.from_error(found["error"])
        return found

    @property
    def jetstream(self) -> Any:
        """The JetStream context of the open connection; raises `ConnectionError` without one."""
        return self._connection.jetstream()

    @property
    def _connection(self) -> Any:
        return self.broker.config.broker_config.connection_state.connection

    async def _subscribe(self, subscription: Subscription) -> None:
        """Fetch and deliver in the background, once for each subscription."""
        consumer = subscription.consumer
        if consumer.name not in self._consuming:
            try:
                await self.jetstream.consumer_info(consumer.stream, consumer.name)
            except NotFoundError:
                await self.jetstream.add_consumer(consumer.stream, consumers.consumer_config(consumer))
            pull = Pull(self._connection, consumer.stream, consumer.name)
            await pull.start()
            self._pulls.append(pull)
            self._consuming[consumer.name] = asyncio.create_task(self._consume(pull, subscription))

    async def _consume(self, pull: Pull, subscription: Subscription) -> None:
        consumer = subscription.consumer
        while True:
            try:
                if messages := await pull.fetch(consumer.fetched_at_once):
                    await self._deliveries.deliver(messages, subscription)
            except TimeoutError:
                continue
            except Exception as error:
                # Such as a connection that was lost; what was not acknowledged is delivered again.
                about = telemetry.described(error, JetStreamError)
                _log.warning("no events could be delivered", consumer=consumer.name, **about)
                await asyncio.sleep(1)

    async def _restored(self, own: list[Consumer]) -> None:
        """Wait until these consumers have handled what is stored now, at most `RESTORE_S` for what fails."""
        for consumer in own:
            waited_s = 0.0
            while (info := await self.jetstream.consumer_info(consumer.stream, consumer.name)).num_pending or (
                info.num_ack_pending and waited_s < RESTORE_S
            ):
                waited_s += 0.0 if info.num_pending else _POLL_S
                await asyncio.sleep(_POLL_S)
            if waited_s >= RESTORE_S:
                _log.warning("started before all own facts were handled", consumer=consumer.name)


def _undated(handler: Handler[E]) -> DatedHandler[E]:
    async def handle(data: E, time: datetime) -> None:
        await handler(data)

    return handle


def _stream_of(envelope: Envelope) -> str:
    event = events.EVENTS.get(envelope.type)
    return stream_of(event) if event else EVENTS_STREAM
