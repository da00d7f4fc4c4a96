"""The policies in force: those that people wrote over those that Assay ships."""

from collections.abc import Mapping
from dataclasses import dataclass

from services.review.domain.policy import Policy, PolicyContent
from services.review.ports import PolicyStore


@dataclass(frozen=True)
class Rulebook:
    """The use cases over policies."""

    store: PolicyStore
    shipped: Mapping[str, Policy]
    default: str

    async def get(self, name: str) -> Policy | None:
        """The newest revision of a policy."""
        return await self.store.get(name) or self.shipped.get(name)

    async def all(self) -> list[Policy]:
        """The newest revision of each, by name."""
        names = sorted({*self.shipped, *await self.store.names()})
        found = [await self.get(name) for name in names]
        return [policy for policy in found if policy is not None]

    async def resolve(self, asked: str | None) -> tuple[str, Policy | None]:
        """The name and the policy that apply to a job that asked for one or for none."""
        name = asked or self.default
        return name, await self.get(name)

    async def put(self, name: str, content: PolicyContent) -> Policy:
        """Make this the policy of that name; the same content again is no new revision."""

        def revise(newest: Policy | None) -> Policy | None:
            last = newest.revision if newest else 0
            policy = Policy.model_validate({**content.model_dump(), "name": name, "revision": last + 1})
            same = newest is not None and policy.model_copy(update={"revision": last}) == newest
            return None if same else policy

        return await self.store.append(name, revise)
