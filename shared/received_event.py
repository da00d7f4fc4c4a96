"""A message as it was fetched, with its event."""

from functools import cached_property

from nats.aio.msg import Msg
from pydantic import ValidationError

from shared import events
from shared.cloudevents import Envelope, EventData
from shared.dead_letters import CONSUMER


class UnreadableError(Exception):
    """A message is not a known event."""


class ReceivedEvent:
    """A message of JetStream; `envelope` and `event` raise `UnreadableError`."""

    def __init__(self, message: Msg) -> None:
        self.message = message

    @cached_property
    def envelope(self) -> Envelope:
        try:
            return Envelope.model_validate_json(self.message.data)
        except ValidationError as error:
            raise UnreadableError(str(error)) from None

    @cached_property
    def event(self) -> EventData:
        try:
            return events.parse(self.envelope)
        except (ValidationError, events.UnknownEventTypeError) as error:
            raise UnreadableError(str(error)) from None

    @property
    def traceparent(self) -> str | None:
        """The context of its publication, or of its cause where publishing made no span."""
        return (self.message.headers or {}).get("traceparent") or self.envelope.traceparent

    def is_for(self, consumer: str) -> bool:
        """False for a dead letter of another consumer that was replayed."""
        return (self.message.headers or {}).get(CONSUMER, consumer) == consumer

    def check(self) -> None:
        """Raise `UnreadableError` for a message that is not a known event."""
        _ = self.event

    @property
    def delivery(self) -> int:
        """Counted from 1."""
        return self.message.metadata.num_delivered or 1

    @property
    def place(self) -> int:
        """The sequence number in its stream."""
        return self.message.metadata.sequence.stream
