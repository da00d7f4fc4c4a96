"""The events in the streams: read as they come, and compared with what is there in the end."""

from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from nats.errors import Error as NatsError

from shared import topology
from shared.cloudevents import Envelope


@dataclass
class StoredEvents:
    """The stream of facts and requests, by sequence."""

    connection: Any
    by_sequence: dict[int, Envelope] = field(default_factory=dict)

    async def read(self) -> None:
        """Read what is new; during an outage of NATS there is nothing to read."""
        js = self.connection.jetstream(timeout=5)
        with suppress(NatsError, OSError):
            last = (await js.stream_info(topology.EVENTS_STREAM)).state.last_seq
            for sequence in range(len(self.by_sequence) + 1, last + 1):
                message = await js.get_msg(topology.EVENTS_STREAM, sequence)
                self.by_sequence[sequence] = Envelope.model_validate_json(message.data)

    async def lost(self) -> list[int]:
        """Sequences that were read once and are not there now, or are other events."""
        again = StoredEvents(self.connection)
        await again.read()
        return [n for n, event in self.by_sequence.items() if getattr(again.by_sequence.get(n), "id", "") != event.id]

    async def dead_letters(self) -> int:
        """How many events failed for good."""
        return (await self.connection.jetstream(timeout=5).stream_info(topology.DEAD_STREAM)).state.messages

    async def backlog(self, services: Iterable[str]) -> list[str]:
        """The consumers of these services that have events left to handle."""
        js, wanted = self.connection.jetstream(timeout=5), set(services)
        consumers = [each for each in topology.CONSUMERS if each.service in wanted]
        infos = [await js.consumer_info(each.stream, each.name) for each in consumers]
        return [info.name for info in infos if info.num_pending or info.num_ack_pending]

    def facts(self) -> "Facts":
        return Facts(list(self.by_sequence.values()))


@dataclass(frozen=True)
class Facts:
    """Events in the order of the stream. The same event may be there several times: delivery is at least once."""

    envelopes: list[Envelope]

    @cached_property
    def by_id(self) -> dict[str, list[Envelope]]:
        found: defaultdict[str, list[Envelope]] = defaultdict(list)
        for envelope in self.envelopes:
            found[envelope.id].append(envelope)
        return found

    def once(self, *types: str) -> list[Envelope]:
        """The first copy of each event of these types."""
        return [copies[0] for copies in self.by_id.values() if copies[0].type in types]

    def about(self, subject: str, *types: str) -> list[Envelope]:
        return [envelope for envelope in self.once(*types) if envelope.subject == subject]

    def contradictions(self) -> list[str]:
        """Events that say two things under one id: the same thing was done twice, with two results."""
        return [
            f"{copies[0].type} of {copies[0].subject} says two things"
            for copies in self.by_id.values()
            if any(copy.data != copies[0].data for copy in copies)
        ]

    def approvals(self) -> dict[str, tuple[datetime, str, str]]:
        """The time, alias and job of the approval of each version."""
        found: dict[str, tuple[datetime, str, str]] = {}
        for envelope in self.once("model.approved"):
            candidate = envelope.data["candidate"]
            version = f"v-{candidate['adapter']['sha256'][:16]}"
            found[version] = (envelope.time, candidate["suffix"], candidate["job_id"])
        return found
