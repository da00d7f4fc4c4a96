"""API keys: made, changed, rotated and taken away by administrators."""

import time
from dataclasses import dataclass

from services.gateway.access.domain import key_request
from services.gateway.access.ports import KeyStore
from services.gateway.common.domain.errors import Missing
from shared.security import Key, digest_of, new_key, new_secret


@dataclass(frozen=True)
class Keys:
    """The use cases over API keys."""

    store: KeyStore

    async def listed(self) -> list[Key]:
        """All that were not deleted, the newest first."""
        return sorted(self.store.all(), key=lambda key: (key.created_at, key.id), reverse=True)

    async def get(self, key_id: str) -> Key:
        found = await self.store.get(key_id) if key_request.is_id(key_id) else None
        if found is None or found.deleted:
            raise _missing(key_id)
        return found

    async def create(self, asked: key_request.KeyRequest) -> tuple[Key, str]:
        """A new key and its secret, which is kept nowhere."""
        made, secret = new_key(asked.name, tuple(dict.fromkeys(asked.scopes)))
        key = made.model_copy(update=asked.model_dump(exclude={"name", "scopes"}))
        await self.store.create(key)
        return key, secret

    async def change(self, key_id: str, asked: key_request.KeyChange, asking: Key) -> Key:
        return await self._changed(key_id, asked.applied, asking)

    async def rotate(self, key_id: str, asked: key_request.Rotation, asking: Key) -> tuple[Key, str]:
        """The key and its new secret; the old one is accepted for the time of grace."""
        secret, now = new_secret(), int(time.time())
        key = await self._changed(key_id, lambda key: asked.applied(key, digest_of(secret), now), asking)
        return key, secret

    async def delete(self, key_id: str, asking: Key) -> None:
        await self._changed(key_id, lambda key: key.model_copy(update={"deleted": True}), asking)

    async def _changed(self, key_id: str, decide: key_request.Decide, asking: Key) -> Key:
        def checked(key: Key) -> Key:
            changed = decide(key)
            key_request.refuse_lockout(asking, changed, time.time())
            return changed

        found = await self.store.change(key_id, checked) if key_request.is_id(key_id) else None
        if found is None:
            raise _missing(key_id)
        return found


def _missing(key_id: str) -> Missing:
    return Missing(f"No such API key: {key_id}", param="id", code="key_not_found")
