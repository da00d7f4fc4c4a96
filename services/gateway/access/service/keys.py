"""API keys: made, changed, rotated and taken away by administrators."""

import time
from dataclasses import dataclass

from services.gateway.access.domain import key_request
from services.gateway.access.ports import KeyStore
from services.gateway.common.domain.errors import Missing, NotPermitted
from shared.security import Key, digest_of, new_key, new_secret


@dataclass(frozen=True)
class Keys:
    """The use cases over API keys."""

    store: KeyStore

    async def listed(self) -> list[Key]:
        """All that were not deleted, the newest first."""
        return sorted(self.store.all(), key=_age, reverse=True)

    async def get(self, key_id: str) -> Key:
        found = await self.store.get(key_id) if key_request.is_id(key_id) else None
        if found is None or found.deleted:
            raise _missing(key_id)
        return found

    async def create(self, asked: key_request.KeyRequest) -> tuple[Key, str]:
        """A new key and its secret, which is kept nowhere."""
        key_request.refuse_expired(asked, time.time())
        if asked.person_id:
            await self._check_person(asked.person_id)
        made, secret = new_key(asked.name, tuple(dict.fromkeys(asked.scopes)))
        key = made.model_copy(update=asked.model_dump(exclude={"name", "scopes"}))
        await self.store.create(key)
        return key, secret

    async def create_own(self, asked: key_request.KeyRequest, person: Key) -> tuple[Key, str]:
        """A key of the caller's own, with no more scopes than the caller has; raises `NotPermitted`.

        Only the key that signs a person in can do this, so that a stolen second key cannot make more keys.
        """
        if person.id != person.person:
            raise NotPermitted("Sign in with your own link to make keys; a key cannot make others.", code="own_key")
        if lacking := [scope for scope in asked.scopes if not person.allows(scope)]:
            raise NotPermitted(f"You lack the scope {lacking[0]!r}, so your keys cannot have it.", param="scopes")
        return await self.create(asked.model_copy(update={"person_id": person.id}))

    async def delete_own(self, key_id: str, person: Key) -> None:
        """Take one of the caller's keys away; raises `Missing` for keys of others and for the one that signs in."""
        found = await self.get(key_id)
        if found.person != person.person or found.id == person.person:
            raise _missing(key_id)
        await self.delete(key_id, person)

    def owned_by(self, person: Key) -> list[Key]:
        """The keys of a person beside the one that signs them in, the newest first."""
        own = [key for key in self.store.all() if key.person == person.person and key.id != person.person]
        return sorted(own, key=_age, reverse=True)

    async def change(self, key_id: str, asked: key_request.KeyChange, asking: Key) -> Key:
        return await self._changed(key_id, asked.applied, asking)

    async def rotate(self, key_id: str, asked: key_request.Rotation, asking: Key) -> tuple[Key, str]:
        """The key and its new secret; the old one is accepted for the time of grace."""
        secret, now = new_secret(), int(time.time())
        key = await self._changed(key_id, lambda key: asked.applied(key, digest_of(secret), now), asking)
        return key, secret

    async def delete(self, key_id: str, asking: Key) -> None:
        await self._changed(key_id, lambda key: key.model_copy(update={"deleted": True}), asking)

    async def _check_person(self, person_id: str) -> None:
        found = await self.store.get(person_id) if key_request.is_id(person_id) else None
        if found is None or found.deleted or found.person != found.id:
            raise Missing(f"No such person: {person_id}", param="person_id", code="person_not_found")

    async def _changed(self, key_id: str, decide: key_request.Decide, asking: Key) -> Key:
        def checked(key: Key) -> Key:
            changed = decide(key)
            key_request.refuse_lockout(asking, changed, time.time())
            return changed

        found = await self.store.change(key_id, checked) if key_request.is_id(key_id) else None
        if found is None:
            raise _missing(key_id)
        return found


def _age(key: Key) -> tuple[int, str]:
    return (key.created_at, key.id)


def _missing(key_id: str) -> Missing:
    return Missing(f"No such API key: {key_id}", param="id", code="key_not_found")
