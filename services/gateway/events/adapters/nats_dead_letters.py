"""Dead letters in NATS JetStream, and the replay of one."""

import json
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from nats.js.api import RawStreamMsg
from pydantic import ValidationError

from services.gateway.common.adapters.jetstream import jetstream, message_at, reach
from services.gateway.common.domain.errors import BadRequest
from services.gateway.events.ports import DeadLetter
from shared import dead_letters
from shared.bus import PUBLISH_TIMEOUT_S, Bus
from shared.cloudevents import Envelope
from shared.consumers import CONSUMERS, stream_of
from shared.events import EVENTS
from shared.topology import DEAD_STREAM

_CONSUMERS = frozenset(consumer.name for consumer in CONSUMERS)


@dataclass(frozen=True)
class NatsDeadLetters:
    """The stream of dead letters."""

    bus: Bus

    async def places(self) -> list[int]:
        # The driver's `stream_info` cannot ask which sequence numbers were deleted.
        asked = self.bus.ask(f"$JS.API.STREAM.INFO.{DEAD_STREAM}", {"deleted_details": True})
        state = (await reach(asked))["state"]
        replayed = set(state.get("deleted", ()))
        places = range(max(state["first_seq"], 1), state["last_seq"] + 1)
        return [place for place in places if place not in replayed]

    async def get(self, place: int) -> DeadLetter | None:
        message = await message_at(self.bus, DEAD_STREAM, place)
        return None if message is None else _letter(message)

    async def replay(self, place: int) -> str | None:
        message = await message_at(self.bus, DEAD_STREAM, place)
        if message is None:
            return None
        consumer, failed = await self._failed(message)
        envelope = _event(failed)
        if consumer not in _CONSUMERS:
            text = f"This version has no consumer {consumer!r}, so nothing would handle the event."
            raise BadRequest(text, code="no_such_consumer")
        await reach(
            jetstream(self.bus).publish(
                envelope.type,
                envelope.model_dump_json(exclude_none=True).encode(),
                stream=stream_of(EVENTS[envelope.type]),
                timeout=PUBLISH_TIMEOUT_S,
                headers={"Nats-Msg-Id": f"replay-{place}-{uuid4()}", dead_letters.CONSUMER: consumer},
            )
        )
        await reach(jetstream(self.bus).delete_msg(DEAD_STREAM, place))
        return envelope.type

    async def _failed(self, letter: RawStreamMsg) -> tuple[str, RawStreamMsg | None]:
        """The consumer that failed, and the event, which the server's own letters only point to."""
        if (letter.subject or "").startswith("$JS."):
            advisory = json.loads(letter.data or b"{}")
            return advisory["consumer"], await message_at(self.bus, advisory["stream"], advisory["stream_seq"])
        return (letter.headers or {}).get(dead_letters.CONSUMER, ""), letter


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
