"""How many files, bytes, unfinished jobs and posted events a key may have.

A key's own limit counts what its person has; a key without one has the server's limit.
"""

from dataclasses import dataclass

from services.gateway.common.domain.errors import NotPermitted
from shared.security import Key


@dataclass(frozen=True)
class Quotas:
    """The server's limits, for keys that set no limit."""

    open_jobs: int
    files: int
    stored_bytes: int
    events_per_minute: int

    def open_jobs_of(self, key: Key) -> int:
        return self.open_jobs if key.max_open_jobs is None else key.max_open_jobs

    def check_job(self, key: Key, open_jobs: int) -> None:
        """Raise `NotPermitted` if one more unfinished job is too many."""
        limit = self.open_jobs_of(key)
        if open_jobs >= limit:
            raise _reached(
                "max_open_jobs",
                f"You have {open_jobs} unfinished jobs, and this API key allows {limit}.",
                "Wait until one ends or cancel one",
            )

    def check_file(self, key: Key, files: int, stored_bytes: int, added_bytes: int) -> None:
        """Raise `NotPermitted` if one more file of `added_bytes` is too much."""
        limit = self.files if key.max_files is None else key.max_files
        if files >= limit:
            raise _reached("max_files", f"You have {files} files, and this API key allows {limit}.", "Delete files")
        limit = self.stored_bytes if key.max_stored_bytes is None else key.max_stored_bytes
        if stored_bytes + added_bytes > limit:
            raise _reached(
                "max_stored_bytes",
                f"You have files of {stored_bytes} bytes. With {added_bytes} bytes more they would exceed "
                f"the {limit} bytes that this API key allows.",
                "Delete files or upload a smaller one",
            )

    def events_per_minute_of(self, key: Key) -> int:
        return self.events_per_minute if key.events_per_minute is None else key.events_per_minute


def _reached(limit: str, state: str, remedy: str) -> NotPermitted:
    return NotPermitted(f"{state} {remedy}, or ask an administrator to raise {limit!r}.", code=f"{limit}_reached")
