"""What the events part needs from the outside."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from services.gateway.events.domain.stream_position import StreamPlace
from shared.cloudevents import Envelope
from shared.store import Entity


class Undeliverable(Exception):
    """A webhook call that failed or is not allowed; the message says why."""


class WebhookClient(Protocol):
    """Calls webhook endpoints; each method raises `Undeliverable`."""

    async def check(self, url: str) -> None:
        """Refuse a URL that must not be called."""
        ...

    async def post(self, url: str, headers: Mapping[str, str], body: str) -> int:
        """The status of the endpoint's answer; its body is not read."""
        ...


class DeadLetter(Entity):
    """An event that could not be handled; `id` is its sequence number in the stream of dead letters."""

    time: str
    subject: str
    consumer: str
    deliveries: int
    error: str
    event: Any


@dataclass(frozen=True)
class StreamLevel:
    """What a stream holds: the used share of its limit in bytes, and the number of its messages."""

    share: float
    messages: int


class EventStream(Protocol):
    """The events; each call raises `Unavailable` while NATS is away."""

    async def publish(self, envelope: Envelope) -> None: ...

    async def newest(self) -> StreamPlace:
        """The place of the newest events."""
        ...

    def follow(self, types: Sequence[str], after: StreamPlace) -> AsyncIterator[tuple[StreamPlace, Envelope] | None]:
        """An endless stream of the events of these types, or of all, after a place; None when nothing came."""
        ...

    async def levels(self) -> dict[str, StreamLevel]:
        """The level of each stream that refuses new messages when it is full, by the stream's name."""
        ...


class DeadLetterQueue(Protocol):
    """The dead letters; each call raises `Unavailable` while NATS is away."""

    async def places(self) -> list[int]:
        """The sequence numbers of all dead letters, the oldest first."""
        ...

    async def get(self, place: int) -> DeadLetter | None:
        """One dead letter; None when it does not exist, or not any more."""
        ...

    async def replay(self, place: int) -> str | None:
        """Publish a dead letter again and remove it; returns the event's type, None when it does not exist.

        Raises `BadRequest` for a message that is not an event.
        """
        ...
