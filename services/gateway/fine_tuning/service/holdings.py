"""What a person has, compared with the limits of the key that asks for more."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from services.gateway.common.domain.quotas import Quotas
from services.gateway.fine_tuning.domain.job import ORDER, TERMINAL, Job
from services.gateway.fine_tuning.domain.uploaded_file import UploadedFile
from shared.security import Key
from shared.store import Collection, Cursor

RECOUNT_S = 60.0
_PAGE = 500
_OPEN = [status for status in ORDER if status not in TERMINAL]


@dataclass
class StoredFiles:
    """A person's files, counted at `counted_at` and kept up to date with what this gateway stored since."""

    counted_at: float
    files: int = 0
    bytes: int = 0


@dataclass
class Holdings:
    """Counts jobs for each new job, and files at most every `RECOUNT_S`, because that reads all of a person's files.

    Several gateways, or requests at the same moment, can exceed a limit by what they let in meanwhile.
    """

    jobs: Collection[Job]
    files: Collection[UploadedFile]
    quotas: Quotas
    now: Callable[[], float] = time.time
    _stored: dict[str, StoredFiles] = field(default_factory=dict[str, StoredFiles])

    async def check_job(self, key: Key) -> None:
        """Raise `NotPermitted` unless the key may have one more unfinished job."""
        limit = self.quotas.open_jobs_of(key)
        found = await self.jobs.find(owner=key.person, status__in=_OPEN, limit=max(limit, 1))
        self.quotas.check_job(key, len(found))

    async def check_file(self, key: Key, added_bytes: int) -> None:
        """Raise `NotPermitted` unless the key may store one more file of this size."""
        stored = self._stored.get(key.person)
        if stored is None or self.now() - stored.counted_at > RECOUNT_S:
            stored = self._stored[key.person] = await self._count(key.person)
        self.quotas.check_file(key, stored.files, stored.bytes, added_bytes)

    def added(self, person: str, file: UploadedFile) -> None:
        """Count a file that was just stored."""
        self._change(person, 1, file)

    def removed(self, person: str, file: UploadedFile) -> None:
        """Count a file that was just deleted."""
        self._change(person, -1, file)

    def _change(self, person: str, files: int, file: UploadedFile) -> None:
        if (stored := self._stored.get(person)) is not None and not file.is_result:
            stored.files += files
            stored.bytes += files * _bytes_of(file)

    async def _count(self, person: str) -> StoredFiles:
        counted, after, more = StoredFiles(self.now()), None, True
        while more:
            page = await self.files.page(Cursor(after, _PAGE), owner=person, known=True)
            uploaded = [file for file in page.items if not file.is_result]
            counted.files += len(uploaded)
            counted.bytes += sum(map(_bytes_of, uploaded))
            after, more = (page.items[-1].id if page.items else None), page.has_more
        return counted


def _bytes_of(file: UploadedFile) -> int:
    return file.upload.artifact.bytes if file.upload else 0
