"""Who else may call a checkpoint that nobody approved: keys that its owner names."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from services.gateway.domain.names import natural_id
from services.gateway.domain.pages import Cursor, Page
from services.gateway.domain.refusals import Missing, no_model
from services.gateway.ports import CheckpointView, JobView, PermissionView, Views
from shared.events import Candidate
from shared.security import Key


@dataclass(frozen=True)
class Permissions:
    """The use cases over permissions. OpenAI gives them to projects; here a key takes a project's place."""

    views: Views[PermissionView]
    checkpoints: Views[CheckpointView]
    jobs: Views[JobView]

    async def may_call(self, made: Candidate, key: Key) -> bool:
        """Whether a key may call a checkpoint: its owner's, if he may train, and those that he named."""
        if await self._owns(made, key):
            return key.allows("train")
        known = await self.views.get(_id(made.model_name, key.id))
        return known is not None and not known.removed

    async def give(self, model: str, key_ids: Sequence[str], key: Key) -> list[PermissionView]:
        """Let these keys call a checkpoint; raises `Missing` where it is not this key's."""
        await self._of(model, key)
        return [await self._given(model, key_id) for key_id in dict.fromkeys(key_ids)]

    async def page(self, model: str, cursor: Cursor, key: Key, *, oldest_first: bool) -> Page[PermissionView]:
        await self._of(model, key)
        return await self.views.page(cursor, oldest_first=oldest_first, model=model, removed=False)

    async def take(self, model: str, permission_id: str, key: Key) -> None:
        """Take a permission back; raises `Missing`."""
        await self._of(model, key)
        known = await self.views.get(permission_id)
        if known is None or known.removed or known.model != model:
            raise Missing(f"No such permission: {permission_id}", param="permission_id")
        await self.views.change(permission_id, lambda view: (view.model_copy(update={"removed": True}), []))

    async def _given(self, model: str, key_id: str) -> PermissionView:
        empty = PermissionView(id=_id(model, key_id), at=time.time(), model=model, key_id=key_id)
        return await self.views.settle(
            empty, lambda known: (known.model_copy(update={"removed": False}), []) if known.removed else None
        )

    async def _of(self, model: str, key: Key) -> None:
        for found in await self.checkpoints.where(model_name=model, saved=True):
            if await self._owns(found.candidate, key):
                return
        raise no_model(model)

    async def _owns(self, made: Candidate, key: Key) -> bool:
        # Jobs may be older than owners in what they made.
        job = None if made.owner else await self.jobs.get(made.job_id)
        return key.owns(job.owner if job else made.owner)


def _id(model: str, key_id: str) -> str:
    return natural_id("cp", model, key_id)
