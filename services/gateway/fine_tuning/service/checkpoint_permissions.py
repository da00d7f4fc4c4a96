"""Permissions of other keys to call a checkpoint that is not approved; its owner grants them."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from services.gateway.common.domain.errors import Missing, no_model
from services.gateway.common.domain.ids import natural_id
from services.gateway.fine_tuning.domain.checkpoint import Checkpoint
from services.gateway.fine_tuning.domain.checkpoint_permission import CheckpointPermission
from services.gateway.fine_tuning.domain.job import Job
from shared.events import Candidate, PermissionChanged
from shared.security import Key
from shared.store import Collection, Cursor, Page


@dataclass(frozen=True)
class CheckpointPermissions:
    """The use cases over permissions. OpenAI gives them to projects; here a key takes a project's place."""

    views: Collection[CheckpointPermission]
    checkpoints: Collection[Checkpoint]
    jobs: Collection[Job]

    async def may_call(self, made: Candidate, key: Key) -> bool:
        """Whether a key may call a checkpoint: the owner with the scope `train`, or a key with a permission."""
        if await self._owns(made, key):
            return key.allows("train")
        known = await self.views.get(_id(made.model_name, key.id))
        return known is not None and not known.removed

    async def give(self, model: str, key_ids: Sequence[str], key: Key) -> list[CheckpointPermission]:
        """Let these keys call a checkpoint; raises `Missing` where it is not this key's."""
        await self._of(model, key)
        return [await self._given(model, key_id, key) for key_id in dict.fromkeys(key_ids)]

    async def page(self, model: str, cursor: Cursor, key: Key, *, oldest_first: bool) -> Page[CheckpointPermission]:
        await self._of(model, key)
        return await self.views.page(cursor, oldest_first=oldest_first, model=model, removed=False)

    async def take(self, model: str, permission_id: str, key: Key) -> None:
        """Revoke a permission; raises `Missing`."""
        await self._of(model, key)
        known = await self.views.get(permission_id)
        if known is None or known.removed or known.model != model:
            raise Missing(f"No such permission: {permission_id}", param="permission_id")

        def decide(latest: CheckpointPermission) -> tuple[CheckpointPermission, list[PermissionChanged]]:
            removed = _changed(latest, removed=True)
            return removed, [_fact(removed, key)]

        await self.views.change(permission_id, decide)

    async def _given(self, model: str, key_id: str, author: Key) -> CheckpointPermission:
        empty = CheckpointPermission(id=_id(model, key_id), at=time.time(), model=model, key_id=key_id)

        def decide(known: CheckpointPermission) -> tuple[CheckpointPermission, list[PermissionChanged]]:
            given = _changed(known, removed=False)
            return given, [_fact(given, author)]

        return await self.views.upsert(empty, decide)

    async def _of(self, model: str, key: Key) -> None:
        for found in await self.checkpoints.find(model_name=model, saved=True):
            if await self._owns(found.candidate, key):
                return
        raise no_model(model)

    async def _owns(self, made: Candidate, key: Key) -> bool:
        # Jobs may be older than owners in what they made.
        job = None if made.owner else await self.jobs.get(made.job_id)
        return key.owns(job.owner if job else made.owner)


def _fact(permission: CheckpointPermission, author: Key) -> PermissionChanged:
    return PermissionChanged(
        permission_id=permission.id,
        model=permission.model,
        key_id=permission.key_id,
        removed=permission.removed,
        author=author.id,
        at=permission.changed_at,
    )


def _changed(permission: CheckpointPermission, *, removed: bool) -> CheckpointPermission:
    # Rises with each change, also where the clocks of two gateways differ.
    at = max(time.time(), permission.changed_at + 1e-6)
    return permission.model_copy(update={"removed": removed, "changed_at": at})


def _id(model: str, key_id: str) -> str:
    return natural_id("cp", model, key_id)
