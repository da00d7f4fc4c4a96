"""Events and dead letters in NATS JetStream."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import uuid4

from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.errors import TimeoutError as NatsTimeout
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy, RawStreamMsg
from nats.js.errors import NotFoundError
from pydantic import ValidationError

from services.gateway.common.domain.errors import BadRequest
from services.gateway.events.adapters.merged_sources import merged
from services.gateway.events.domain.stream_position import StreamPlace
from services.gateway.events.ports import DeadLetter, StreamLevel
from shared import dead_letters, telemetry
from shared.bus import PUBLISH_TIMEOUT_S, Bus
from shared.cloudevents import Envelope
from shared.consumers import CONSUMERS, EVENTS_STREAM, PROGRESS_STREAM, stream_of
from shared.events import EVENTS
from shared.topology import DEAD_STREAM
from shared.web import Unavailable

T = TypeVar("T")
_STREAMS = (EVENTS_STREAM, PROGRESS_STREAM)
"""In the order of the numbers of a `StreamPlace`."""
_CONSUMERS = frozenset(consumer.name for consumer in CONSUMERS)
# After this silence subscribers get a keep-alive.
IDLE_S = 10.0
AGAIN_S = 1.0
LEFT_S = 60.0
_log = telemetry.logger(__name__)


@dataclass(frozen=True)
class NatsEventStream:
    """The streams of events and of dead letters."""

    bus: Bus

    async def publish(self, envelope: Envelope) -> None:
        await reach(self.bus.publish(envelope))

    async def dead_letter_places(self) -> list[int]:
        # The driver's `stream_info` cannot ask which sequence numbers were deleted.
        asked = self.bus.ask(f"$JS.API.STREAM.INFO.{DEAD_STREAM}", {"deleted_details": True})
        state = (await reach(asked))["state"]
        replayed = set(state.get("deleted", ()))
        places = range(max(state["first_seq"], 1), state["last_seq"] + 1)
        return [place for place in places if place not in replayed]

    async def dead_letter(self, place: int) -> DeadLetter | None:
        message = await self._message(DEAD_STREAM, place)
        return None if message is None else _letter(message)

    async def replay(self, place: int) -> str | None:
        message = await self._message(DEAD_STREAM, place)
        if message is None:
            return None
        consumer, failed = await self._failed(message)
        envelope = _event(failed)
        if consumer not in _CONSUMERS:
            text = f"This version has no consumer {consumer!r}, so nothing would handle the event."
            raise BadRequest(text, code="no_such_consumer")
        await reach(
            self._js.publish(
                envelope.type,
                envelope.model_dump_json(exclude_none=True).encode(),
                stream=stream_of(EVENTS[envelope.type]),
                timeout=PUBLISH_TIMEOUT_S,
                headers={"Nats-Msg-Id": f"replay-{place}-{uuid4()}", dead_letters.CONSUMER: consumer},
            )
        )
        await reach(self._js.delete_msg(DEAD_STREAM, place))
        return envelope.type

    async def _failed(self, letter: RawStreamMsg) -> tuple[str, RawStreamMsg | None]:
        """The consumer that failed, and the event, which the server's own letters only point to."""
        if (letter.subject or "").startswith("$JS."):
            advisory = json.loads(letter.data or b"{}")
            return advisory["consumer"], await self._message(advisory["stream"], advisory["stream_seq"])
        return (letter.headers or {}).get(dead_letters.CONSUMER, ""), letter

    async def levels(self) -> dict[str, StreamLevel]:
        infos = [await reach(self._js.stream_info(stream)) for stream in (EVENTS_STREAM, DEAD_STREAM)]
        return {
            info.config.name: StreamLevel(info.state.bytes / info.config.max_bytes, info.state.messages)
            for info in infos
        }

    async def newest(self) -> StreamPlace:
        facts, progress = [(await reach(self._js.stream_info(stream))).state.last_seq for stream in _STREAMS]
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
                    place = min(after, (await self._js.stream_info(stream)).state.last_seq)
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
        made = await self._js.add_consumer(stream, _ephemeral(types, after))
        subscription = await self._js.pull_subscribe_bind(made.name, stream)
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

    @property
    def _js(self) -> Any:
        try:
            return self.bus.jetstream
        except ConnectionError as error:
            raise Unavailable(f"NATS does not answer: {error}") from None

    async def _message(self, stream: str, place: int) -> RawStreamMsg | None:
        if not 1 <= place < 2**63:
            # NATS refuses such a number with an error that looks like an outage.
            return None
        try:
            return await reach(self._js.get_msg(stream, place))
        except NotFoundError:
            return None


async def reach(call: Awaitable[T]) -> T:
    """The answer of NATS; raises `Unavailable` while it is away, and passes `NotFoundError` on."""
    try:
        return await call
    except NotFoundError:
        raise
    except (NatsError, TimeoutError, OSError) as error:
        raise Unavailable(f"NATS does not answer: {type(error).__name__}") from None


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


def _event(message: RawStreamMsg | None) -> Envelope:
    try:
        envelope = Envelope.model_validate_json((message and message.data) or b"")
    except ValidationError:
        raise BadRequest("This message is not an event, so it cannot be replayed.", code="not_an_event") from None
    if envelope.type not in EVENTS:
        raise BadRequest(f"{envelope.type!r} is not an event type of Assay.", code="not_an_event")
    return envelope


def _letter(message: RawStreamMsg) -> DeadLetter:
    headers = message.headers or {}
    return DeadLetter(
        id=str(message.seq),
        time=str(getattr(message, "time", "") or ""),
        subject=message.subject or "",
        consumer=headers.get(dead_letters.CONSUMER, ""),
        deliveries=int(headers.get("assay-deliveries", 0)),
        error=headers.get("assay-error", "the last delivery was neither acknowledged nor refused"),
        event=_shown(message.data or b""),
    )


def _shown(data: bytes) -> Any:
    try:
        return json.loads(data)
    except ValueError:
        return data.decode(errors="replace")
