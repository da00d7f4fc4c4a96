"""Files: stored once, announced, and shown with what became of them."""

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path

from services.gateway.common.domain import ids
from services.gateway.common.domain.errors import BadRequest, Missing
from services.gateway.common.domain.ownership import within_reach
from services.gateway.fine_tuning.domain.uploaded_file import UploadedFile, clean_filename
from shared.artifacts import Artifacts
from shared.events import DatasetReady, DatasetRejected, DatasetUploaded
from shared.security import Key
from shared.store import Collection, Cursor, Page

PURPOSE = "fine-tune"


@dataclass(frozen=True)
class Files:
    """The use cases over files."""

    views: Collection[UploadedFile]
    artifacts: Artifacts

    async def upload(
        self, path: Path, filename: str, purpose: str, key: Key, idempotency_key: str | None = None
    ) -> UploadedFile:
        """Store what lies at `path` and announce it; the view and the announcement are one write."""
        if purpose != PURPOSE:
            raise BadRequest(f"'purpose' must be '{PURPOSE}'.", param="purpose", code="invalid_value")
        if path.stat().st_size == 0:
            raise BadRequest("The file is empty.", param="file", code="invalid_value")
        artifact = await asyncio.to_thread(self.artifacts.put_file, path)
        now = time.time()
        event = DatasetUploaded(
            file_id=ids.new_id("file", key.id, idempotency_key),
            filename=clean_filename(filename),
            artifact=artifact,
            owner=key.id,
            created_at=int(now),
        )
        digest = ids.digest([artifact.sha256, event.filename])
        view = UploadedFile(id=event.file_id, at=now, request_digest=digest, owner=key.id, upload=event, known=True)
        if await self.views.create(view, [event]):
            return view
        return _same(await self.views.get(view.id), digest)

    async def get(self, file_id: str, key: Key) -> UploadedFile:
        """A file of this key; what is another's is as good as not there."""
        found = await self.views.get(file_id)
        if found is None or not found.known or not key.owns(found.owner):
            raise Missing(f"No such File object: {file_id}", param="id")
        return found

    async def page(self, cursor: Cursor, purpose: str | None, key: Key, *, oldest_first: bool) -> Page[UploadedFile]:
        if purpose not in (None, PURPOSE):
            return Page([], False)
        return await self.views.page(cursor, oldest_first=oldest_first, known=True, **within_reach(key))

    async def content(self, file_id: str, key: Key) -> tuple[UploadedFile, bytes]:
        found = await self.get(file_id, key)
        assert found.upload is not None
        return found, await asyncio.to_thread(self.artifacts.read, found.upload.artifact)

    async def delete(self, file_id: str, key: Key) -> None:
        """Hide a file. Its content stays where jobs that train on it can read it."""
        await self.get(file_id, key)
        await self.views.change(file_id, lambda f: (f.model_copy(update={"known": False, "deleted": True}), []))

    async def uploaded(self, event: DatasetUploaded) -> None:
        """Somebody announced a file, perhaps by posting the event."""
        at = float(event.created_at or int(time.time()))

        def decide(view: UploadedFile) -> tuple[UploadedFile, list[DatasetUploaded]] | None:
            if view.upload is not None:
                return None
            return view.model_copy(
                update={"upload": event, "owner": event.owner, "at": at, "known": not view.deleted}
            ), []

        await self.views.upsert(UploadedFile(id=event.file_id), decide)

    async def ready(self, event: DatasetReady) -> None:
        await self.views.upsert(UploadedFile(id=event.file_id), lambda f: (f.model_copy(update={"ready": event}), []))

    async def rejected(self, event: DatasetRejected) -> None:
        await self.views.upsert(
            UploadedFile(id=event.file_id), lambda f: (f.model_copy(update={"rejected": event}), [])
        )


def _same(known: UploadedFile | None, digest: str) -> UploadedFile:
    if known is None or known.request_digest != digest:
        raise BadRequest("This Idempotency-Key was used with another request.", code="idempotency_key_reused")
    return known
