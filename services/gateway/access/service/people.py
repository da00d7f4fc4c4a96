"""People: changed and removed by administrators, and signed out everywhere."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from services.gateway.access.domain.invitation import PersonChange
from services.gateway.access.domain.key_request import refuse_lockout
from services.gateway.access.ports import KeyStore
from services.gateway.common.domain.errors import Missing
from shared.security import Key
from shared.sessions import SessionStore


@dataclass(frozen=True)
class Person:
    """A person by their own key, with the other keys that belong to them."""

    own: Key
    keys: Sequence[Key]


@dataclass(frozen=True)
class People:
    """The use cases over invited people."""

    store: KeyStore
    sessions: SessionStore

    def listed(self) -> list[Person]:
        """People who accepted an invitation, by name."""
        keys = self.store.all()
        others: dict[str, list[Key]] = {}
        for key in keys:
            if not key.is_own_key:
                others.setdefault(key.person, []).append(key)
        people = [Person(key, others.get(key.id, ())) for key in keys if key.is_own_key]
        return sorted(people, key=lambda person: (person.own.name.lower(), person.own.id))

    def get(self, person_id: str) -> Person:
        """Raises `Missing`."""
        for person in self.listed():
            if person.own.id == person_id:
                return person
        raise Missing(f"No such person: {person_id}", param="id", code="person_not_found")

    async def change(self, person_id: str, asked: PersonChange, asking: Key) -> Key:
        """Change name, language, scopes or team; keys of this person lose the scopes that the person loses."""
        changes = asked.model_dump(exclude_unset=True)
        if "scopes" in changes:
            changes["scopes"] = tuple(dict.fromkeys(asked.scopes))
        return await self._changed(self.get(person_id).own.id, changes, asking)

    async def remove(self, person_id: str, asking: Key) -> None:
        """Remove a person with all their keys and sessions; their files, jobs and models stay."""
        person = self.get(person_id)
        # The own key first: from then on every other key of this person is refused.
        await self._changed(person.own.id, {"deleted": True}, asking)
        for key in person.keys:
            await self._changed(key.id, {"deleted": True}, asking)
        await self._end_sessions(person)

    async def sign_out(self, person_id: str) -> None:
        """End every session of a person, by whichever of their keys it was started."""
        await self._end_sessions(self.get(person_id))

    async def _end_sessions(self, person: Person) -> None:
        for key in (person.own, *person.keys):
            await self.sessions.purge(f"session.{key.id}.>")

    async def _changed(self, key_id: str, changes: dict[str, object], asking: Key) -> Key:
        def decide(key: Key) -> Key:
            changed = key.model_copy(update=changes)
            # An administrator must not lock themselves out, by whichever of their keys they ask.
            asks = asking if asking.id == key.id or asking.person != key.id else key
            refuse_lockout(asks, changed, time.time())
            return changed

        found = await self.store.change(key_id, decide)
        if found is None:
            raise Missing(f"No such person: {key_id}", param="id", code="person_not_found")
        return found
