"""Preferences that people made by their votes in the playground."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.gateway.console.domain.preference import Preference
from shared.security import Key
from shared.store import Collection, Cursor

EXPORTED = 10_000
"""So many of a person's newest preferences are read in one export."""


@dataclass(frozen=True)
class Preferences:
    """The use cases over the preferences of one person."""

    stored: Collection[Preference]

    async def keep(self, preference: Preference) -> None:
        """Keep a preference; the same vote again changes nothing."""
        await self.stored.create(preference)

    async def exist(self, key: Key) -> bool:
        """Whether this person has any."""
        return bool(await self.stored.find(owner=key.person, limit=1))

    async def newest(self, key: Key) -> Sequence[Preference]:
        """This person's preferences, the newest first."""
        return (await self.stored.page(Cursor(None, EXPORTED), owner=key.person)).items

    async def delete_all(self, key: Key) -> int:
        """Delete this person's preferences; returns how many there were."""
        found = await self.stored.find(owner=key.person)
        for preference in found:
            await self.stored.delete(preference.id)
        return len(found)
