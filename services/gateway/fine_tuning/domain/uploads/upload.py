"""An upload in parts, which becomes a file when it is completed."""

from collections.abc import Sequence
from typing import Literal, Self

from pydantic import BaseModel

from services.gateway.common.domain.errors import BadRequest, Conflict
from services.gateway.fine_tuning.domain.uploads.upload_body import UploadBody

UPLOAD_S = 3600
"""How long parts are taken, as at OpenAI."""
MAX_PART_BYTES = 64 * 1024**2
MAX_PARTS = 1000
MAX_TIMES = 2
"""How many times its size an upload may hold in parts, because a client may send a part again."""
UploadStatus = Literal["pending", "completed", "cancelled", "expired"]


class UploadPart(BaseModel):
    """One received part."""

    id: str
    at: float
    bytes: int
    piece: str = ""
    """Its name among the staged pieces. Each request has its own, so that repeating one leaves what is staged alone."""

    @property
    def staged_as(self) -> str:
        # Parts that were sent to an earlier release.
        return self.piece or self.id


class Upload(BaseModel):
    """`at` and `expires_at` are in Unix seconds. `body` is the `UploadBody` of its request as JSON."""

    id: str
    at: float
    owner: str
    """The person who uploads."""
    body: str
    expires_at: float
    parts: tuple[UploadPart, ...] = ()
    order: tuple[str, ...] = ()
    """The ids of the file's parts; empty until the upload is completed."""
    cancelled: bool = False
    staged: bool = True
    """Its parts may still be in the store."""

    @property
    def asked(self) -> UploadBody:
        return UploadBody.model_validate_json(self.body)

    def status(self, now: float) -> UploadStatus:
        if self.order:
            return "completed"
        if self.cancelled:
            return "cancelled"
        return "expired" if now >= self.expires_at else "pending"

    def part(self, part_id: str) -> UploadPart | None:
        return next((part for part in self.parts if part.id == part_id), None)

    def with_part(self, part: UploadPart, now: float) -> Self | None:
        """With one more part; None if it has one with this id already.

        Raises `BadRequest` if there is no room, or if the upload has ended.
        """
        if self.part(part.id) is not None:
            return None
        self.require_pending(now)
        if len(self.parts) >= MAX_PARTS:
            raise BadRequest(f"An upload has at most {MAX_PARTS} parts; send larger ones.", param="data")
        limit = MAX_TIMES * self.asked.bytes
        if sum(each.bytes for each in self.parts) + part.bytes > limit:
            message = f"The parts hold more than {limit} bytes, which is {MAX_TIMES} times the upload's 'bytes'."
            raise BadRequest(message, param="data", code="too_many_bytes")
        return self.model_copy(update={"parts": (*self.parts, part)})

    def ordered(self, part_ids: Sequence[str]) -> list[UploadPart]:
        """The file's parts; raises `BadRequest` unless they are known, different, and of the announced size."""
        known = {part.id: part for part in self.parts}
        if unknown := [each for each in part_ids if each not in known]:
            raise BadRequest(f"This upload has no part {unknown[0]!r:.100}.", param="part_ids", code="invalid_value")
        if len(set(part_ids)) != len(part_ids):
            raise BadRequest("'part_ids' names a part twice; name it once.", param="part_ids", code="invalid_value")
        found, wanted = sum(known[each].bytes for each in part_ids), self.asked.bytes
        if found != wanted:
            message = f"The parts hold {found} bytes, but the upload was created with 'bytes' {wanted}."
            raise BadRequest(message, param="part_ids", code="invalid_value")
        return [known[each] for each in part_ids]

    def completed(self, part_ids: Sequence[str], started: float) -> Self | None:
        """Completed with these parts; None if it is already. `started` is when completing began.

        Raises `BadRequest` if it has ended otherwise, `Conflict` if it was completed with other parts.
        """
        if self.order:
            if self.order != tuple(part_ids):
                raise Conflict("The upload was completed with other parts; create a new upload.", param="part_ids")
            return None
        self.require_pending(started)
        return self.model_copy(update={"order": tuple(part_ids)})

    def cancel(self, now: float) -> Self | None:
        """Cancelled; None if it is already. Raises `BadRequest` if it has ended otherwise."""
        if self.cancelled:
            return None
        self.require_pending(now)
        return self.model_copy(update={"cancelled": True})

    def require_pending(self, now: float) -> None:
        """Raise `BadRequest` if the upload takes no more parts."""
        status = self.status(now)
        if status != "pending":
            raise BadRequest(f"The upload {self.id} is {status}; create a new one.", code=f"upload_{status}")
