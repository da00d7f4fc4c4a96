"""Rebuilds policies and their bindings from review's own facts."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from services.review.policies.catalog import Binding
from services.review.policies.domain.named_policy import NamedPolicy
from services.review.policies.domain.policy import Policy, PolicyContent
from shared.events import AliasBound, Artifact, PolicyDeleted, PolicyPublished
from shared.store import Collection, Decision


class Files(Protocol):
    """Artifacts by digest."""

    def read(self, artifact: Artifact) -> bytes: ...


@dataclass(frozen=True)
class PolicyRestoration:
    """One method for each fact; in an intact database each changes nothing."""

    policies: Collection[NamedPolicy]
    bindings: Collection[Binding]
    shipped: Mapping[str, Policy]
    files: Files

    async def published(self, event: PolicyPublished) -> None:
        content = PolicyContent.model_validate_json(await asyncio.to_thread(self.files.read, event.content))
        named = {"name": event.name, "revision": event.revision, "author": event.author, "created_at": int(event.at)}
        policy = Policy.model_validate({**content.model_dump(), **named})
        # An older event does not say who may read the policy: then only its owner may.
        readers = event.readers or ()

        def revise(known: NamedPolicy) -> Decision[NamedPolicy] | None:
            if event.revision <= known.newest.revision:
                return None
            changes = {"revisions": (*known.revisions, policy), "readers": readers, "deleted": False}
            return known.model_copy(update=changes), ()

        before = (self.shipped[event.name],) if event.name in self.shipped else ()
        first = NamedPolicy(id=event.name, revisions=(*before, policy), owner=event.owner, readers=readers)
        if not await self.policies.create(first):
            await self.policies.change(event.name, revise)

    async def deleted(self, event: PolicyDeleted) -> None:
        def hide(known: NamedPolicy) -> Decision[NamedPolicy] | None:
            if known.newest.revision < event.revision:
                raise LookupError(f"revision {event.revision} of the policy {known.id} is not restored yet")
            if known.newest.revision > event.revision or known.deleted:
                return None
            return known.model_copy(update={"deleted": True}), ()

        if await self.policies.change(event.name, hide) is None:
            raise LookupError(f"the policy {event.name} is not restored yet")

    async def bound(self, event: AliasBound) -> None:
        record = Binding(
            id=event.alias, policy=event.policy, author=event.author, bound_at=int(event.at), changed_at=event.at
        )

        def rebind(known: Binding) -> Decision[Binding] | None:
            return None if event.at <= known.changed_at else (record, ())

        if not await self.bindings.create(record):
            await self.bindings.change(event.alias, rebind)
