"""Finds the owner of an event."""

import asyncio
from dataclasses import dataclass, field

from services.gateway.events.domain.subscription import subject_of
from services.gateway.fine_tuning.domain.alias_owner import AliasOwner
from services.gateway.fine_tuning.domain.job import Job
from services.gateway.fine_tuning.domain.uploaded_file import UploadedFile
from shared.cloudevents import Envelope
from shared.security import Key
from shared.store import Collection

# An event may arrive before the gateway has stored its job.
TRIES, PAUSE_S = 5, 0.2


MAX_KNOWN = 1024


@dataclass(frozen=True)
class EventOwners:
    """Finds owners by the job, file or alias of an event."""

    files: Collection[UploadedFile]
    jobs: Collection[Job]
    alias_owners: Collection[AliasOwner]
    known: dict[str, str] = field(default_factory=dict[str, str])

    async def of(self, envelope: Envelope) -> str | None:
        """The id of the key that owns the event's subject; None if only administrators may see it."""
        found = subject_of(envelope)
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
        return key.allows("train") and key.owns(await self.of(envelope) or "")

    async def _look(self, subject: str, is_job: bool, is_file: bool) -> str | None:
        for _ in range(TRIES):
            view: Job | UploadedFile | AliasOwner | None
            if is_job:
                view = await self.jobs.get(subject)
            elif is_file:
                view = await self.files.get(subject)
            else:
                view = await self.alias_owners.get(subject)
            if view is not None and view.owner:
                return view.owner
            await asyncio.sleep(PAUSE_S)
        return None
