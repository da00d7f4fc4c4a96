"""Files: stored once, announced, and shown with what became of them."""

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from services.gateway.common.domain import ids
from services.gateway.common.domain.errors import BadRequest, Missing
from services.gateway.common.domain.ownership import within_reach
from services.gateway.fine_tuning.domain.upload_request import UploadRequest
from services.gateway.fine_tuning.domain.uploaded_file import UploadedFile, clean_filename
from services.gateway.fine_tuning.service.artifact_references import ArtifactReferences
from services.gateway.fine_tuning.service.holdings import Holdings
from shared.artifacts import Artifacts
from shared.events import Artifact, DatasetReady, DatasetRejected, DatasetUploaded, FileDeleted
from shared.security import Key
from shared.set_aside import delete_unneeded
from shared.store import Collection, Cursor, Page


@dataclass(frozen=True)
class Files:
    """The use cases over files."""

    views: Collection[UploadedFile]
    artifacts: Artifacts
    references: ArtifactReferences
    holdings: Holdings

    async def upload(self, path: Path, filename: str, asked: UploadRequest, key: Key, file_id: str) -> UploadedFile:
        """Store what lies at `path` and announce it; the view and the announcement are one write.

        An id that is known already gives the file that has it. Raises `NotPermitted` for more than the key allows.
        """
        if path.stat().st_size == 0:
            raise BadRequest("The file is empty.", param="file", code="invalid_value")
        if await self.views.get(file_id) is None:
            await self.holdings.check_file(key, path.stat().st_size)
        artifact = await asyncio.to_thread(self.artifacts.put_file, path)
        now = time.time()
        event = DatasetUploaded(
            file_id=file_id,
            filename=clean_filename(filename),
            artifact=artifact,
            owner=key.person,
            created_at=int(now),
            drop_bad_rows=asked.drop_bad_rows,
            split_seed=asked.split_seed,
            dataset=asked.dataset,
            options=asked.options,
        )
        digest = ids.digest([artifact.sha256, event.filename, asked.model_dump(mode="json")])
        view = UploadedFile(id=event.file_id, at=now, request_digest=digest, owner=key.person, upload=event, known=True)
        if not await self.views.create(view, [event]):
            return _same(await self.views.get(view.id), digest)
        self.holdings.added(key.person, view)
        # Another file with this content may just have been deleted, before this one referred to it.
        if not await asyncio.to_thread(self.artifacts.contains, artifact):
            await asyncio.to_thread(self.artifacts.put_file, path)
        return view

    async def get(self, file_id: str, key: Key) -> UploadedFile:
        """A file of this key; raises `Missing` for one of another key."""
        found = await self.views.get(file_id)
        if found is None or not found.known or not key.owns(found.owner):
            raise Missing(f"No such File object: {file_id}", param="id")
        return found

    async def page(self, cursor: Cursor, purpose: str | None, key: Key, *, oldest_first: bool) -> Page[UploadedFile]:
        where = {**within_reach(key), **({"upload__purpose": purpose} if purpose else {})}
        return await self.views.page(cursor, oldest_first=oldest_first, known=True, **where)

    async def content(self, file_id: str, key: Key) -> tuple[Artifact, BinaryIO]:
        """A file's content, opened to be read; its digest is not checked yet."""
        found = await self.get(file_id, key)
        assert found.upload is not None
        artifact = found.upload.artifact
        return artifact, await asyncio.to_thread(self.artifacts.open, artifact)

    async def delete(self, file_id: str, key: Key) -> None:
        """Delete a file, and its content once ingest has read it and nothing else refers to it."""
        file = await self.get(file_id, key)
        event = FileDeleted(file_id=file_id, owner=file.owner, author=key.id, at=time.time())

        def decide(file: UploadedFile) -> tuple[UploadedFile, list[FileDeleted]] | None:
            if file.deleted:
                return None
            return file.model_copy(update={"known": False, "deleted": True}), [event]

        await self._drop_content(await self.views.change(file_id, decide))
        self.holdings.removed(file.owner, file)

    async def restore_deletion(self, event: FileDeleted) -> None:
        """A file was deleted before the database was lost."""

        def decide(file: UploadedFile) -> tuple[UploadedFile, list[FileDeleted]] | None:
            deleted = {"known": False, "deleted": True, "owner": event.owner}
            return None if file.deleted else (file.model_copy(update=deleted), [])

        await self.views.upsert(UploadedFile(id=event.file_id), decide)

    async def uploaded(self, event: DatasetUploaded) -> None:
        """A file was announced: by this gateway, or by an event that was posted."""
        at = float(event.created_at or int(time.time()))

        def decide(view: UploadedFile) -> tuple[UploadedFile, list[DatasetUploaded]] | None:
            if view.upload is not None:
                return None
            return view.model_copy(
                update={"upload": event, "owner": event.owner, "at": at, "known": not view.deleted}
            ), []

        await self.views.upsert(UploadedFile(id=event.file_id), decide)

    async def ready(self, event: DatasetReady) -> None:
        await self._learn(event.file_id, ready=event)

    async def rejected(self, event: DatasetRejected) -> None:
        await self._learn(event.file_id, rejected=event)

    async def _learn(self, file_id: str, **facts: Any) -> None:
        empty = UploadedFile(id=file_id)
        await self._drop_content(await self.views.upsert(empty, lambda f: (f.model_copy(update=facts), [])))

    async def _drop_content(self, file: UploadedFile | None) -> None:
        if file is None or file.upload is None or not file.content_is_unused:
            return
        await delete_unneeded(self.artifacts, file.upload.artifact, self.references.exist)


def _same(known: UploadedFile | None, digest: str) -> UploadedFile:
    if known is None or known.request_digest != digest:
        raise BadRequest(
            "This Idempotency-Key was used with another request; send a new key.", code="idempotency_key_reused"
        )
    return known
