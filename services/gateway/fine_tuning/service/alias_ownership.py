"""Stable names belong to whoever asked for a job under them first."""

import time
from dataclasses import dataclass

from services.gateway.fine_tuning.domain.alias_owner import AliasOwner, suffix_taken
from shared.security import Key
from shared.store import Collection


@dataclass(frozen=True)
class AliasOwnership:
    """Keeps a key's models from being replaced under their stable name by another key's."""

    views: Collection[AliasOwner]

    async def claim(self, suffix: str | None, key: Key, param: str) -> None:
        """Note that this key uses a suffix; raises `BadRequest` where it is another's. Administrators may use all."""
        if not suffix or await self.views.create(AliasOwner(id=suffix, at=time.time(), owner=key.id)):
            return
        known = await self.views.get(suffix)
        if known is not None and not key.owns(known.owner):
            raise suffix_taken(suffix, param)
