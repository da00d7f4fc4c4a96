"""The delivery policy for every message of every service: acknowledge, retry, heartbeat, dead-letter."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from faststream.nats import NatsBroker
from nats.aio.msg import Msg

from shared import dead_letters, telemetry, tracing
from shared.bounds import BoundsError
from shared.consumers import ACK_WAIT_S, Consumer
from shared.dead_letters import DeadLetter
from shared.fact_time import handling_fact_of
from shared.outages import Outages
from shared.received_event import ReceivedEvent, UnreadableError
from shared.store import BaseStore

# Long enough that a stopping process does not fetch again what it gave back.
LEAVING_DELAY_S = 1.0
# How long handled events may wait to be marked and acknowledged together with later ones.
MARK_EVERY_S = 1.0
T = TypeVar("T")
_log = telemetry.logger(__name__)


class PermanentError(Exception):
    """Raised by a handler when trying again cannot help: the event goes to the dead letters at once."""


@dataclass(frozen=True)
class RetryPolicy:
    """How long to wait before each further delivery, in seconds; the last value is used from then on."""

    delays_s: Sequence[float] = (1, 2, 5, 15, 30, 60)

    def delay_s(self, delivery: int) -> float:
        """The wait after the delivery of that number, counted from 1."""
        return self.delays_s[min(delivery, len(self.delays_s)) - 1]


@dataclass(frozen=True)
class Subscription:
    """A consumer and the handler of its events.

    `source` is the only source whose events count; None for all. `side_by_side` handles events about different
    aggregates at the same time.
    """

    consumer: Consumer
    handler: Callable[[Any, datetime], Awaitable[None]]
    source: str | None = None
    side_by_side: bool = False


class Deliveries:
    """Delivers the messages of one service to its handlers."""

    def __init__(self, broker: NatsBroker, store: BaseStore, retry: RetryPolicy, outages: Outages) -> None:
        self._broker = broker
        self._store = store
        self._retry = retry
        self.outages = outages
        self._held: dict[int, Msg] = {}
        """Messages that are neither acknowledged nor given back, by `id()`."""

    async def deliver(self, messages: Sequence[Msg], subscription: Subscription) -> None:
        """Handle messages, and acknowledge each or give it back; returns when that is done."""
        self._held |= {id(message): message for message in messages}
        try:
            await self._deliver([ReceivedEvent(message) for message in messages], subscription)
        except asyncio.CancelledError:
            for message in messages:
                if id(message) in self._held:
                    await message.nak(delay=LEAVING_DELAY_S)
            raise
        finally:
            for message in messages:
                self._release(message)

    async def keep_alive(self) -> None:
        """Tell the server that the work on the held messages continues, so that no other replica gets them."""
        while True:
            await asyncio.sleep(ACK_WAIT_S / 3)
            for message in list(self._held.values()):
                with suppress(Exception):
                    await message.in_progress()

    async def _deliver(self, received: Sequence[ReceivedEvent], subscription: Subscription) -> None:
        batch = _Batch(subscription)
        for one in received:
            if not one.is_for(subscription.consumer.name):
                # Not marked as handled: this consumer may still have to handle the event itself, or its own letter.
                await self._acknowledge(one)
                continue
            try:
                batch.add(one)
            except UnreadableError as error:
                await self._dead_letter(one, subscription.consumer, error)
        name, ids = subscription.consumer.name, [one.envelope.id for one in batch.received]
        try:
            batch.done |= await self._through_outages(name, lambda: self._store.seen(name, ids))
        except Exception as error:
            for one in batch.received:
                await self._retry_later(one, subscription.consumer, error)
            return
        await asyncio.gather(*(self._handle_lane(lane, batch) for lane in batch.lanes))
        await self._finish(batch)

    async def _handle_lane(self, lane: Sequence[ReceivedEvent], batch: "_Batch") -> None:
        """One event after another. A handler that fails affects only its own event."""
        consumer = batch.subscription.consumer
        for one in lane:
            try:
                await self._handle(one, batch)
            except (BoundsError, PermanentError) as error:
                await self._dead_letter(one, consumer, error)
            except Exception as error:
                await self._retry_later(one, consumer, error)
            if batch.waited_s > MARK_EVERY_S:
                await self._finish(batch)

    async def _handle(self, one: ReceivedEvent, batch: "_Batch") -> None:
        envelope, subscription = one.envelope, batch.subscription
        if subscription.source in (None, envelope.source):
            name = subscription.consumer.name
            about = {"event": envelope.type, "event_id": envelope.id, "about": envelope.subject}
            with telemetry.trace(one.traceparent, **about), handling_fact_of(envelope.time.timestamp()):
                if envelope.id in batch.done:
                    _log.info("already handled", consumer=name)
                else:
                    with tracing.event_handled(envelope, name):
                        await self._through_outages(name, lambda: subscription.handler(one.event, envelope.time))
                    _log.info("handled", consumer=name)
        batch.finished(one)

    async def _finish(self, batch: "_Batch") -> None:
        """Acknowledge what was handled, after it was stored that it was."""
        handled, name = batch.take_handled(), batch.subscription.consumer.name
        if not handled:
            return
        ids = [one.envelope.id for one in handled]
        try:
            await self._through_outages(name, lambda: self._store.mark_seen(name, ids))
        except Exception as error:
            for one in handled:
                await self._retry_later(one, batch.subscription.consumer, error)
            return
        for one in handled:
            await self._acknowledge(one)

    async def _through_outages(self, consumer: str, action: Callable[[], Awaitable[T]]) -> T:
        """The result of an action, which is repeated after each outage, so that an outage uses up no deliveries."""
        while True:
            try:
                return await action()
            except BoundsError:
                raise
            except Exception as error:
                if not (away := await self.outages.away()):
                    raise
                _log.warning("to be handled again after an outage", consumer=consumer, away=away, exc_info=error)
            await self.outages.end()

    async def _retry_later(self, one: ReceivedEvent, consumer: Consumer, error: Exception) -> None:
        """Give a message back, or dead-letter it after its last delivery."""
        if one.delivery >= consumer.max_deliver:
            await self._dead_letter(one, consumer, error)
            return
        delay_s = self._retry.delay_s(one.delivery)
        _log.warning("will be retried", consumer=consumer.name, delivery=one.delivery, delay_s=delay_s, exc_info=error)
        # Without a delay the server delivers again at once, in a busy loop.
        await one.message.nak(delay=delay_s)
        self._release(one.message)

    async def _dead_letter(self, one: ReceivedEvent, consumer: Consumer, error: Exception) -> None:
        _log.error("dead letter", consumer=consumer.name, delivery=one.delivery, exc_info=error)
        letter = DeadLetter(consumer.name, f"{one.place}/{one.delivery}", one.delivery, error, one.message.data)
        try:
            await dead_letters.publish(self._broker, letter)
        except Exception as failure:
            # The message is delivered again when its acknowledgement is overdue.
            _log.error("dead letter not stored", consumer=consumer.name, exc_info=failure)
            self._release(one.message)
            return
        await self._acknowledge(one)

    async def _acknowledge(self, one: ReceivedEvent) -> None:
        await one.message.ack()
        self._release(one.message)

    def _release(self, message: Msg) -> None:
        self._held.pop(id(message), None)


class _Batch:
    """Messages that were fetched together. Each lane is handled in order; different lanes side by side."""

    def __init__(self, subscription: Subscription) -> None:
        self.subscription = subscription
        self.done: set[str] = set()
        """Ids of events that were handled, now or before."""
        self._lanes: dict[str, list[ReceivedEvent]] = {}
        self._handled: list[ReceivedEvent] = []
        self._since = 0.0

    @property
    def lanes(self) -> list[list[ReceivedEvent]]:
        return list(self._lanes.values())

    @property
    def received(self) -> list[ReceivedEvent]:
        """Those that can be read."""
        return [one for lane in self.lanes for one in lane]

    @property
    def waited_s(self) -> float:
        """How long the first handled event has waited to be marked."""
        return time.monotonic() - self._since if self._handled else 0.0

    def add(self, one: ReceivedEvent) -> None:
        """Raises `UnreadableError`."""
        lane = one.envelope.subject if self.subscription.side_by_side else ""
        one.check()
        self._lanes.setdefault(lane, []).append(one)

    def finished(self, one: ReceivedEvent) -> None:
        if not self._handled:
            self._since = time.monotonic()
        self.done.add(one.envelope.id)
        self._handled.append(one)

    def take_handled(self) -> list[ReceivedEvent]:
        """The events that wait to be marked, once."""
        handled, self._handled = self._handled, []
        return handled
