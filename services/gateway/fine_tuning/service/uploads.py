"""Uploads in parts: each part is staged in the artifact store; completing joins them to a file."""

import asyncio
import secrets
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from services.gateway.common.domain import ids
from services.gateway.common.domain.errors import BadRequest, Busy, Missing, TooLarge
from services.gateway.fine_tuning.domain.uploaded_file import UploadedFile
from services.gateway.fine_tuning.domain.uploads.upload import UPLOAD_S, Upload, UploadPart
from services.gateway.fine_tuning.domain.uploads.upload_body import Completion, UploadBody
from services.gateway.fine_tuning.service.files import Files
from shared import telemetry
from shared.security import Key
from shared.store import Collection
from shared.upload_staging import UploadStaging

MAX_PENDING = 20
"""Of one person at once."""
_SWEEP_S = 300.0
# A slow completion may still read parts of an upload that has expired.
_GRACE_S = 900.0
_FORGET_S = 86_400.0
_log = telemetry.logger(__name__)


class _PartsGone(BadRequest):
    """The upload has ended meanwhile."""


@dataclass(frozen=True)
class Uploads:
    """The use cases over uploads. `now` returns Unix seconds."""

    views: Collection[Upload]
    staging: UploadStaging
    files: Files
    max_file_bytes: int
    now: Callable[[], float] = time.time

    async def create(self, body: str, key: Key, idempotency_key: str | None = None) -> Upload:
        """A new upload; `body` is a checked `UploadBody` as JSON."""
        size = UploadBody.model_validate_json(body).bytes
        if size > self.max_file_bytes:
            limit = f"this server takes at most {self.max_file_bytes} bytes (GATEWAY_MAX_FILE_BYTES)"
            raise TooLarge(f"The file is too large: {limit}.", param="bytes", code="file_too_large")
        now = self.now()
        upload_id = ids.new_id("upload", key.id, idempotency_key)
        made = Upload(id=upload_id, at=now, owner=key.person, body=body, expires_at=int(now) + UPLOAD_S)
        known = await self.views.get(upload_id)
        if known is None:
            await self._require_few(key)
            await self.files.holdings.check_file(key, size)
            known = made if await self.views.create(made) else await self.views.get(upload_id)
        if known is None or known.body != body:
            message = "This Idempotency-Key was used with another request; send a new key."
            raise BadRequest(message, code="idempotency_key_reused")
        return known

    async def get(self, upload_id: str, key: Key) -> Upload:
        """An upload of this key; raises `Missing` for one of another key."""
        found = await self.views.get(upload_id)
        if found is None or not key.owns(found.owner):
            raise Missing(f"No such Upload object: {upload_id}", param="upload_id")
        return found

    async def add_part(self, upload_id: str, path: Path, key: Key, idempotency_key: str | None = None) -> UploadPart:
        """Stage what lies at `path` as a part."""
        upload = await self.get(upload_id, key)
        part_id = ids.new_id("part", f"{key.id}/{upload_id}", idempotency_key)
        if (known := upload.part(part_id)) is not None:
            return known
        piece = f"{part_id}.{secrets.token_hex(4)}"
        part = UploadPart(id=part_id, at=self.now(), bytes=path.stat().st_size, piece=piece)
        if not part.bytes:
            raise BadRequest("The part is empty; send at least one byte.", param="data", code="invalid_value")
        # Before the part is staged, so that nothing has to be removed in most cases.
        upload.with_part(part, self.now())
        return await self._stage(upload_id, part, path)

    async def complete(self, upload_id: str, asked: Completion, key: Key) -> tuple[Upload, UploadedFile]:
        """Join the parts to a file and announce it. The same request again gives the same file."""
        started = self.now()
        upload = await self.get(upload_id, key)
        if (known := await self._completed(upload, asked, started)) is not None:
            return upload, known
        try:
            async with self._joined(upload, upload.ordered(asked.part_ids), asked.md5) as path:
                upload = await self._change(upload_id, lambda known: known.completed(asked.part_ids, started))
                body = upload.asked
                file = await self.files.upload(path, body.filename, body.file_request, key, _file_id(upload_id))
        except _PartsGone:
            # The same request, sent again, may have completed it, or another may have cancelled it.
            upload = await self.get(upload_id, key)
            if (known := await self._completed(upload, asked, started)) is None:
                raise
            return upload, known
        await self._drop(upload)
        return upload, file

    async def cancel(self, upload_id: str, key: Key) -> Upload:
        """End an upload; its parts are removed."""
        await self.get(upload_id, key)
        upload = await self._change(upload_id, lambda known: known.cancel(self.now()))
        await self._drop(upload)
        return upload

    async def sweep(self) -> None:
        """Remove the parts of uploads that have ended, and forget uploads that ended long ago."""
        now = self.now()
        for upload in await self.views.find(expires_at__lt=now - _GRACE_S):
            await self._drop(upload)
            if upload.expires_at < now - _FORGET_S:
                await self.views.delete(upload.id)

    async def run(self) -> None:
        """Sweep without end."""
        while True:
            try:
                await self.sweep()
            except Exception as error:
                _log.warning("uploads cannot be swept", error=f"{type(error).__name__}: {error}")
            await asyncio.sleep(_SWEEP_S)

    async def _stage(self, upload_id: str, part: UploadPart, path: Path) -> UploadPart:
        """The part; or the one with its id, if the same request was sent again and that one was faster."""
        await asyncio.to_thread(self.staging.put, upload_id, part.piece, path)
        try:
            upload = await self._change(upload_id, lambda known: known.with_part(part, self.now()))
        except (BadRequest, Missing):
            await asyncio.to_thread(self.staging.remove, upload_id, part.piece)
            raise
        kept = upload.part(part.id) or part
        if kept.piece != part.piece:
            await asyncio.to_thread(self.staging.remove, upload_id, part.piece)
        return kept

    async def _completed(self, upload: Upload, asked: Completion, started: float) -> UploadedFile | None:
        """The file of a completed upload; raises an error if the upload cannot be completed with these parts."""
        upload.completed(asked.part_ids, started)
        return await self.files.views.get(_file_id(upload.id)) if upload.order else None

    async def _require_few(self, key: Key) -> None:
        where: dict[str, Any] = {"owner": key.person, "expires_at__gt": self.now()}
        pending = [each for each in await self.views.find(**where) if each.status(self.now()) == "pending"]
        if len(pending) >= MAX_PENDING:
            message = f"{MAX_PENDING} uploads are pending; complete or cancel one of them first."
            raise Busy(message, code="too_many_uploads")

    @asynccontextmanager
    async def _joined(self, upload: Upload, parts: Sequence[UploadPart], md5: str | None) -> AsyncGenerator[Path]:
        """The file on this server's disk; raises `BadRequest` if its digest or size is not the announced one."""
        with TemporaryDirectory(prefix="assay-upload-") as folder:
            path = Path(folder) / "upload"
            try:
                found = await asyncio.to_thread(self.staging.join, upload.id, [part.staged_as for part in parts], path)
            except FileNotFoundError:
                raise _PartsGone("Parts of the upload are gone; create a new upload.", code="upload_expired") from None
            if path.stat().st_size != upload.asked.bytes:
                raise BadRequest("A part of the upload is damaged; create a new upload.", code="upload_damaged")
            if md5 is not None and md5 != found:
                message = f"The file's MD5 is {found}, not {md5}: send the damaged parts again."
                raise BadRequest(message, param="md5", code="md5_mismatch")
            yield path

    async def _change(self, upload_id: str, decide: Callable[[Upload], Upload | None]) -> Upload:
        def apply(known: Upload) -> tuple[Upload, tuple[()]] | None:
            changed = decide(known)
            return None if changed is None else (changed, ())

        changed = await self.views.change(upload_id, apply)
        if changed is None:
            raise Missing(f"No such Upload object: {upload_id}", param="upload_id")
        return changed

    async def _drop(self, upload: Upload) -> None:
        if upload.staged:
            await asyncio.to_thread(self.staging.remove_all, upload.id)
            await self.views.change(upload.id, lambda known: (known.model_copy(update={"staged": False}), ()))


def _file_id(upload_id: str) -> str:
    return ids.natural_id("file", upload_id)
