"""Live event subscriptions."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

from services.gateway.common.domain.errors import Busy
from services.gateway.events.domain.stream_position import StreamPlace
from services.gateway.events.domain.subscription import subject_of
from services.gateway.events.ports import EventStream
from services.gateway.events.service.event_owners import EventOwners
from shared.cloudevents import Envelope
from shared.security import Key

Found = tuple[StreamPlace, Envelope]


@dataclass(frozen=True)
class EventSubscriptions:
    """The use case of `GET /v1/events`, for at most `max_open` subscribers at once."""

    stream: EventStream
    owners: EventOwners
    max_open: int
    open: set[object] = field(default_factory=set[object])

    async def begin(self, after: StreamPlace | None) -> StreamPlace:
        """The place to begin after: `after`, or the newest event; raises `Busy` or `Unavailable`."""
        if len(self.open) >= self.max_open:
            raise Busy("Too many streams of events are open; try again later.", code="rate_limit_exceeded")
        newest = await self.stream.newest()
        return newest if after is None else after.at_most(newest)

    async def follow(
        self, key: Key, types: Sequence[str], job_id: str | None, after: StreamPlace
    ) -> AsyncIterator[Found | None]:
        """Events after a place that this key may see; None when nothing came for a while."""
        mark = object()
        self.open.add(mark)
        try:
            async for found in self.stream.follow(types, after):
                if found is None:
                    yield None
                elif self._asked(found[1], job_id) and await self.owners.may_see(found[1], key):
                    yield found
        finally:
            self.open.discard(mark)

    def _asked(self, envelope: Envelope, job_id: str | None) -> bool:
        return job_id is None or subject_of(envelope).job_id == job_id
