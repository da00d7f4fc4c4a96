"""Events over NATS JetStream, and the whole delivery policy: acknowledge, retry, heartbeat, dead-letter."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from faststream import AckPolicy
from faststream.nats import JStream, NatsBroker, PullSub
from faststream.nats.annotations import NatsMessage
from pydantic import ValidationError

from shared import events, telemetry, topology
from shared.cloudevents import CONTENT_TYPE, Envelope, EventData
from shared.store import Store
from shared.topology import ACK_WAIT_S, DEAD_PREFIX, DEAD_STREAM, EVENTS_STREAM, Consumer

E = TypeVar("E", bound=EventData)
Handler = Callable[[E], Awaitable[None]]

PUBLISH_TIMEOUT_S = 5.0
# Long enough that a leaving process does not fetch again what it gave back.
LEAVING_DELAY_S = 1.0
_log = telemetry.logger(__name__)


class PermanentError(Exception):
    """A handler's word that trying again cannot help: the event goes to the dead letters at once."""


@dataclass(frozen=True)
class RetryPolicy:
    """How long to wait before each further delivery, in seconds; the last value is used from then on."""

    delays_s: Sequence[float] = (1, 2, 5, 15, 30, 60)

    def delay_s(self, delivery: int) -> float:
        """The wait after the delivery of that number, counted from 1."""
        return self.delays_s[min(delivery, len(self.delays_s)) - 1]


class Bus:
    """One service's connection to the events."""

    def __init__(self, nats_url: str, service: str, store: Store, retry: RetryPolicy | None = None) -> None:
        self.service = service
        self._store = store
        self._retry = retry or RetryPolicy()
        self._running: set[asyncio.Task[Any]] = set()
        self._leaving = False
        self.broker = NatsBroker(
            nats_url.split(","),
            # By default a server that is away for two minutes freezes the process for good.
            max_reconnect_attempts=-1,
            reconnect_time_wait=1,
            graceful_timeout=10,
            apply_types=True,
            logger=None,
        )

    def subscribe(self, event: type[E], handler: Handler[E]) -> None:
        """Hear an event. `handler` is called once for each, or again after it failed or its process died."""
        consumer = topology.consumer_of(self.service, event)

        async def deliver(message: NatsMessage) -> None:
            await self._deliver(message, consumer, cast(Handler[Any], handler))

        self.broker.subscriber(
            event.type,
            stream=JStream(EVENTS_STREAM, declare=False),
            durable=consumer.name,
            config=topology.consumer_config(consumer),
            pull_sub=PullSub(batch_size=1, timeout=5),
            ack_policy=AckPolicy.MANUAL,
            title=consumer.name,
        )(deliver)

    async def publish(self, envelope: Envelope) -> None:
        """Store one event in the stream; raises when the server did not confirm it. Safe to repeat."""
        await self.broker.publish(
            envelope.model_dump_json(exclude_none=True).encode(),
            envelope.type,
            stream=EVENTS_STREAM,
            timeout=PUBLISH_TIMEOUT_S,
            headers={
                "Nats-Msg-Id": envelope.id,
                "content-type": CONTENT_TYPE,
                **({"traceparent": envelope.traceparent} if envelope.traceparent else {}),
            },
        )

    async def start(self) -> None:
        await self.broker.start()

    async def stop(self) -> None:
        """Give work in hand back at once, so that another replica takes it, and leave."""
        self._leaving = True
        for task in list(self._running):
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        await self.broker.stop()

    async def check(self) -> None:
        """Raise an error when NATS does not answer or a consumer of this service is gone."""
        js = self.jetstream
        for consumer in topology.CONSUMERS:
            if consumer.service == self.service:
                await js.consumer_info(EVENTS_STREAM, consumer.name, timeout=2)

    @property
    def jetstream(self) -> Any:
        """The JetStream context of the open connection; raises `ConnectionError` where there is none."""
        client: Any = self.broker.config.broker_config.connection_state.connection
        return client.jetstream()

    async def _deliver(self, message: NatsMessage, consumer: Consumer, handler: Handler[Any]) -> None:
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
            await self._handle(message.body, consumer, handler)
            await message.ack()
        except (ValidationError, events.UnknownEventTypeError, PermanentError) as error:
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
            # Without a delay the server delivers again at once, in a hot loop.
            await message.nack(delay=delay_s)
        finally:
            heartbeat.cancel()
            self._running.discard(task)

    async def _handle(self, body: bytes, consumer: Consumer, handler: Handler[Any]) -> None:
        envelope = Envelope.model_validate_json(body)
        event = events.parse(envelope)
        with telemetry.trace(envelope.traceparent, event=envelope.type, event_id=envelope.id, about=envelope.subject):
            if await self._store.seen(consumer.name, envelope.id):
                _log.info("already handled", consumer=consumer.name)
                return
            await handler(event)
            await self._store.mark_seen(consumer.name, envelope.id)
            _log.info("handled", consumer=consumer.name)

    async def _dead_letter(self, message: NatsMessage, consumer: Consumer, delivery: int, error: Exception) -> None:
        metadata = message.raw_message.metadata
        _log.error("dead letter", consumer=consumer.name, delivery=delivery, exc_info=error)
        await self.broker.publish(
            message.body,
            f"{DEAD_PREFIX}.{consumer.name}",
            stream=DEAD_STREAM,
            timeout=PUBLISH_TIMEOUT_S,
            headers={
                "Nats-Msg-Id": f"{consumer.name}/{metadata.sequence.stream}/{delivery}",
                "content-type": CONTENT_TYPE,
                "assay-consumer": consumer.name,
                "assay-deliveries": str(delivery),
                "assay-error": f"{type(error).__name__}: {error}".replace("\n", " ")[:1000],
            },
        )
        await message.ack()


async def _keep_alive(message: NatsMessage) -> None:
    """Tell the server that the work goes on, so that it is not given to another."""
    while True:
        await asyncio.sleep(ACK_WAIT_S / 3)
        with suppress(Exception):
            await message.in_progress()
