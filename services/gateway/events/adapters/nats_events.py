"""Events in NATS JetStream."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass

from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.errors import TimeoutError as NatsTimeout
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from pydantic import ValidationError

from services.gateway.common.adapters.jetstream import jetstream, reach
from services.gateway.events.adapters.merged_sources import merged
from services.gateway.events.domain.stream_position import StreamPlace
from services.gateway.events.ports import StreamLevel
from shared import telemetry
from shared.bus import Bus
from shared.cloudevents import Envelope
from shared.consumers import EVENTS_STREAM, PROGRESS_STREAM, stream_of
from shared.events import EVENTS
from shared.topology import DEAD_STREAM
from shared.web import Unavailable

_STREAMS = (EVENTS_STREAM, PROGRESS_STREAM)
"""In the order of the numbers of a `StreamPlace`."""
# After this silence subscribers get a keep-alive.
IDLE_S = 10.0
AGAIN_S = 1.0
LEFT_S = 60.0
_log = telemetry.logger(__name__)


@dataclass(frozen=True)
class NatsEventStream:
    """The streams of events."""

    bus: Bus

    async def publish(self, envelope: Envelope) -> None:
        await reach(self.bus.publish(envelope))

    async def levels(self) -> dict[str, StreamLevel]:
        infos = [await reach(jetstream(self.bus).stream_info(stream)) for stream in (EVENTS_STREAM, DEAD_STREAM)]
        return {
            info.config.name: StreamLevel(info.state.bytes / info.config.max_bytes, info.state.messages)
            for info in infos
        }

    async def newest(self) -> StreamPlace:
        facts, progress = [(await reach(jetstream(self.bus).stream_info(stream))).state.last_seq for stream in _STREAMS]
        return StreamPlace(facts, progress)

    async def follow(
        self, types: Sequence[str], after: StreamPlace
    ) -> AsyncIterator[tuple[StreamPlace, Envelope] | None]:
        place = list(after)
        wanted = [[name for name in types or EVENTS if stream_of(EVENTS[name]) == stream] for stream in _STREAMS]
        followed = [self._follow(_STREAMS[n], wanted[n], after[n]) for n in range(len(_STREAMS)) if wanted[n]]
        async with aclosing(merged(followed)) as messages:
            async for found in messages:
                if found is None:
                    yield None
                    continue
                stream, sequence, envelope = found
                place[_STREAMS.index(stream)] = sequence
                yield StreamPlace(*place), envelope

    async def _follow(
        self, stream: str, types: Sequence[str], after: int
    ) -> AsyncGenerator[tuple[str, int, Envelope] | None]:
        """An endless stream of the events of one NATS stream; an outage of NATS only delays them."""
        place: int | None = None
        while True:
            try:
                if place is None:
                    # Beyond the end is the end: the stream was made anew since the caller read it.
                    place = min(after, (await jetstream(self.bus).stream_info(stream)).state.last_seq)
                async with aclosing(self._messages(stream, types, place)) as messages:
                    async for message in messages:
                        if message is None:
                            yield None
                            continue
                        place = message.metadata.sequence.stream
                        if (envelope := _readable(message.data)) is not None:
                            yield stream, place, envelope
            except (NatsError, TimeoutError, OSError, Unavailable) as error:
                _log.warning("cannot read events; will be retried", error=f"{type(error).__name__}: {error}")
                yield None
                await asyncio.sleep(AGAIN_S)

    async def _messages(self, stream: str, types: Sequence[str], after: int) -> AsyncGenerator[Msg | None]:
        """Messages after a sequence number, by an ephemeral consumer that ends with its reader."""
        made = await jetstream(self.bus).add_consumer(stream, _ephemeral(types, after))
        subscription = await jetstream(self.bus).pull_subscribe_bind(made.name, stream)
        try:
            while True:
                try:
                    # One at a time: what a slow reader has not read stays in the stream.
                    [message] = await subscription.fetch(1, timeout=IDLE_S)
                except NatsTimeout:
                    yield None
                    continue
                # In a cluster the consumer is on one server. It begins too early where that server's copy of the
                # stream lags behind, and begins again when that server comes back.
                if message.metadata.sequence.stream > after:
                    after = message.metadata.sequence.stream
                    yield message
        finally:
            with suppress(Exception):
                await subscription.unsubscribe()


def _ephemeral(types: Sequence[str], after: int) -> ConsumerConfig:
    """A consumer of what comes after a sequence number; it ends `LEFT_S` after its last reader."""
    return ConsumerConfig(
        deliver_policy=DeliverPolicy.BY_START_SEQUENCE,
        opt_start_seq=after + 1,
        filter_subjects=list(types),
        ack_policy=AckPolicy.NONE,
        inactive_threshold=LEFT_S,
        mem_storage=True,
        num_replicas=1,
    )


def _readable(data: bytes) -> Envelope | None:
    try:
        return Envelope.model_validate_json(data)
    except ValidationError:
        return None
