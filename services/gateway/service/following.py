"""Events as they come, for whoever may see them."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

from services.gateway.domain.following import about
from services.gateway.domain.refusals import Busy
from services.gateway.ports import ClaimView, EventStream, FileView, JobView, Views
from shared.cloudevents import Envelope
from shared.security import Key

# An event may be here before the gateway's own view of its job is.
TRIES, PAUSE_S = 5, 0.2
MAX_KNOWN = 1024
Found = tuple[int, Envelope]


@dataclass(frozen=True)
class Owners:
    """Whose an event is."""

    files: Views[FileView]
    jobs: Views[JobView]
    claims: Views[ClaimView]
    known: dict[str, str] = field(default_factory=dict[str, str])

    async def of(self, envelope: Envelope) -> str | None:
        """The id of the key to whom it belongs; None for what belongs to nobody but administrators."""
        found = about(envelope)
        if found.owner:
            return found.owner
        subject = found.job_id or found.file_id or found.alias
        if subject is None:
            return None
        if subject not in self.known:
            owner = await self._look(subject, found.job_id is not None, found.file_id is not None)
            if owner is None:
                return None
            while len(self.known) >= MAX_KNOWN:
                self.known.pop(next(iter(self.known)))
            self.known[subject] = owner
        return self.known[subject]

    async def may_see(self, envelope: Envelope, key: Key) -> bool:
        if key.allows("admin"):
            return True
        return key.allows("train") and await self.of(envelope) == key.id

    async def _look(self, subject: str, is_job: bool, is_file: bool) -> str | None:
        for _ in range(TRIES):
            view: JobView | FileView | ClaimView | None
            if is_job:
                view = await self.jobs.get(subject)
            elif is_file:
                view = await self.files.get(subject)
            else:
                view = await self.claims.get(subject)
            if view is not None and view.owner:
                return view.owner
            await asyncio.sleep(PAUSE_S)
        return None


@dataclass(frozen=True)
class Following:
    """The use case of those who follow events; at most `at_once` of them."""

    stream: EventStream
    owners: Owners
    at_once: int
    open: set[object] = field(default_factory=set[object])

    async def begin(self, after: int | None) -> int:
        """The place to begin behind: `after`, or the newest event; raises `Busy` or `Unavailable`."""
        if len(self.open) >= self.at_once:
            raise Busy("Too many streams of events are open; try again later.", code="rate_limit_exceeded")
        newest = await self.stream.newest()
        return newest if after is None else min(after, newest)

    async def follow(
        self, key: Key, types: Sequence[str], job_id: str | None, after: int
    ) -> AsyncIterator[Found | None]:
        """Events behind a place that this key may see, with their places; None when nothing came for a while."""
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
        return job_id is None or about(envelope).job_id == job_id
