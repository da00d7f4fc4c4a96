"""Keeps what jobs may name, and looks it up."""

import asyncio
from dataclasses import dataclass

from services.gateway.fine_tuning.domain.configuration import (
    Configuration,
    Kind,
    configuration_id,
    of_alias,
    of_policy,
    of_pool,
    of_suite,
    of_template,
)
from shared.events import (
    AliasBound,
    PolicyDeleted,
    PolicyPublished,
    PoolChanged,
    SuiteDeleted,
    SuitePublished,
    TemplatePublished,
)
from shared.store import Collection, Decision

_TRY_EVERY_S = 0.1


@dataclass(frozen=True)
class Configurations:
    """One method for each fact. `patience_s` is how long a name may take from its owner to here."""

    views: Collection[Configuration]
    patience_s: float = 2.0

    async def find(self, kind: Kind, name: str, owner: str = "", version: int = 0) -> Configuration | None:
        """What is in use under a name, at least of this version. Waits, because it may just have been made."""
        for _ in range(1 + round(self.patience_s / _TRY_EVERY_S)):
            known = await self.views.get(configuration_id(kind, name, owner))
            if known is not None and known.number >= version:
                return None if known.deleted else known
            await asyncio.sleep(_TRY_EVERY_S)
        return None

    async def context_length(self, base_model: str) -> int | None:
        """The tokens that all engines of a base model take; None if that is not known."""
        pools = await self.views.find(base_model=base_model, deleted=False)
        return min((pool.context_length for pool in pools if pool.context_length is not None), default=None)

    async def policy(self, event: PolicyPublished | PolicyDeleted) -> None:
        await self._keep(of_policy(event))

    async def alias(self, event: AliasBound) -> None:
        await self._keep(of_alias(event))

    async def suite(self, event: SuitePublished | SuiteDeleted) -> None:
        await self._keep(of_suite(event))

    async def template(self, event: TemplatePublished) -> None:
        await self._keep(of_template(event))

    async def pool(self, event: PoolChanged) -> None:
        await self._keep(of_pool(event))

    async def _keep(self, state: Configuration) -> None:
        def decide(known: Configuration) -> Decision[Configuration] | None:
            newest = known.newest(state)
            return None if newest is known else (newest, ())

        await self.views.upsert(Configuration(id=state.id), decide)
