"""The messages of the streams, and how far each consumer has come."""

from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from nats.js import JetStreamContext
from nats.js.errors import NotFoundError

from shared.archive.segments import Archive
from shared.consumers import CONSUMERS, EVENTS_STREAM, PROGRESS_STREAM, Consumer
from shared.garbage_collection.refusal import CollectionRefused
from shared.stored_messages import handled_up_to, messages
from shared.topology import DEAD_STREAM

STREAMS = (EVENTS_STREAM, PROGRESS_STREAM, DEAD_STREAM)


@dataclass(frozen=True)
class StoredMessage:
    """`at` is when the server stored it, in Unix seconds."""

    stream: str
    sequence: int
    subject: str
    at: float
    data: bytes


@dataclass
class Messages:
    """Reads the streams of one NATS server; `all_new` goes on where it ended before."""

    js: JetStreamContext
    _read: dict[str, int] = field(default_factory=dict[str, int])

    async def all_new(self) -> AsyncGenerator[StoredMessage]:
        """Every message, then with each further call those that came since."""
        for stream in STREAMS:
            async for message in self._after(stream, self._read.get(stream, 0)):
                self._read[stream] = message.sequence
                yield message

    async def of(self, event_type: str) -> AsyncGenerator[StoredMessage]:
        """Every fact of one type."""
        async for message in self._after(EVENTS_STREAM, 0, event_type):
            yield message

    async def _after(self, stream: str, sequence: int, subject: str = ">") -> AsyncGenerator[StoredMessage]:
        try:
            async with aclosing(messages(self.js, stream, sequence + 1, subject)) as found:
                async for message in found:
                    yield _stored(message)
        except NotFoundError:
            raise CollectionRefused(
                f"NATS has no stream {stream}. Check ASSAY_NATS_URL; on a new server run `python -m shared.topology`"
            ) from None


def archived(archive: Archive) -> Iterator[StoredMessage]:
    """Facts that were moved from their stream into files; a replay reads them, too."""
    try:
        for segment in archive.segments():
            for event in archive.read(segment):
                at = datetime.fromisoformat(event.stored_at).timestamp()
                yield StoredMessage(EVENTS_STREAM, event.place, event.subject, at, event.data)
    except FileNotFoundError:
        raise CollectionRefused("archived facts are being put back into their stream: try again afterwards") from None


@dataclass(frozen=True)
class ConsumerProgress:
    """The last message of the stream up to which each consumer has handled all of its messages."""

    handled: Mapping[Consumer, int]

    @classmethod
    async def read(cls, js: JetStreamContext) -> "ConsumerProgress":
        """Raises `CollectionRefused` if a consumer is missing: then it is not known what it has still to handle."""
        handled: dict[Consumer, int] = {}
        for consumer in CONSUMERS:
            try:
                handled[consumer] = await handled_up_to(js, consumer)
            except NotFoundError:
                raise CollectionRefused(
                    f"NATS has no consumer {consumer.name}: run `python -m shared.topology`, and start the services"
                ) from None
        return cls(handled)

    def has_handled(self, consumer: Consumer, message: StoredMessage) -> bool:
        return message.sequence <= self.handled[consumer]

    def all_have_handled(self, message: StoredMessage) -> bool:
        return all(self.has_handled(each, message) for each in CONSUMERS if is_for(each, message))


def is_for(consumer: Consumer, message: StoredMessage) -> bool:
    """Whether a consumer gets a message."""
    return consumer.stream == message.stream and consumer.event.type == message.subject


def _stored(message: Any) -> StoredMessage:
    metadata = message.metadata
    place, at = metadata.sequence.stream, metadata.timestamp.timestamp()
    return StoredMessage(metadata.stream, place, message.subject, at, message.data)
