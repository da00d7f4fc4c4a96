"""Ownership of stable names: the person who first requests a job under a name owns it."""

import time
from dataclasses import dataclass

from services.gateway.fine_tuning.domain.alias_owner import AliasOwner, suffix_taken
from shared.events import AliasClaimed
from shared.security import Key
from shared.store import Collection


@dataclass(frozen=True)
class AliasOwnership:
    """Prevents a person from replacing another person's models under their stable name."""

    views: Collection[AliasOwner]

    async def claim(self, suffix: str | None, key: Key, param: str) -> None:
        """Claim a suffix for a person; raises `BadRequest` if another person owns it. Administrators may use all."""
        if not suffix:
            return
        now = time.time()
        fact = AliasClaimed(alias=suffix, owner=key.person, at=now)
        if await self.views.create(AliasOwner(id=suffix, at=now, owner=key.person), [fact]):
            return
        known = await self.views.get(suffix)
        if known is not None and not key.owns(known.owner):
            raise suffix_taken(suffix, param)
