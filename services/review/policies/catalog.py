"""The policies in force, and which stable names are bound to one."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from pydantic import BaseModel, ConfigDict

from services.review.ownership import Caller, NotOwner
from services.review.policies.domain.named_policy import NamedPolicy, revision_of
from services.review.policies.domain.policy import EVERYBODY, Policy, PolicyContent
from shared.events import AliasBound, Artifact, PolicyDeleted, PolicyPinned, PolicyPublished
from shared.store import Collection, Decision


class Binding(BaseModel):
    """A stable name that is bound to a policy; `id` is the stable name, `policy` is None after the binding ended."""

    model_config = ConfigDict(frozen=True)

    id: str
    policy: str | None
    author: str
    bound_at: int
    changed_at: float = 0.0
    """`bound_at` with fractions of a second, which orders changes."""


class PolicyInUse(Exception):
    """A policy cannot be deleted while jobs use it."""


class UnknownPolicy(Exception):
    """There is no such policy, or the caller may not read it."""


class Files(Protocol):
    """Artifacts by digest."""

    def put_bytes(self, content: bytes) -> Artifact: ...


@dataclass(frozen=True)
class PolicyCatalog:
    """The use cases over policies. `jobs_using` counts the undecided jobs that a policy applies to."""

    policies: Collection[NamedPolicy]
    bindings: Collection[Binding]
    shipped: Mapping[str, Policy]
    files: Files
    default: str
    jobs_using: Callable[[str], Awaitable[int]]
    now: Callable[[], float] = time.time

    async def get(self, name: str, caller: Caller) -> NamedPolicy:
        """A policy that the caller may read; raises `UnknownPolicy`."""
        found = await self._find(name)
        if found is None or found.deleted or not found.readable_by(caller):
            raise UnknownPolicy(f"there is no policy {name!r}")
        return found

    async def visible(self, caller: Caller) -> list[NamedPolicy]:
        """All policies that the caller may read, by name."""
        written = {record.id: record for record in await self.policies.find()}
        shipped = {name: _shipped(policy) for name, policy in self.shipped.items()}
        known: dict[str, NamedPolicy] = {**shipped, **written}
        return [known[name] for name in sorted(known) if not known[name].deleted and known[name].readable_by(caller)]

    async def put(
        self, name: str, content: PolicyContent, readers: tuple[str, ...] | None, caller: Caller
    ) -> NamedPolicy:
        """Add a policy, or a revision to one that the caller owns. The same content again adds nothing.

        Without `readers` a policy keeps those it has, and everybody may read a new one.
        """
        artifact = await asyncio.to_thread(self.files.put_bytes, content.model_dump_json().encode())

        def revise(record: NamedPolicy) -> Decision[NamedPolicy] | None:
            changed = record.revise(content, readers, caller, int(self.now()))
            return None if changed is None else (changed, [_published(changed, artifact)])

        while True:
            if (changed := await self.policies.change(name, revise)) is not None:
                return changed
            if name in self.shipped and not caller.admin:
                raise NotOwner(f"{name!r} comes with Assay: only admin can change it; choose another name")
            first = self._first(name, content, (EVERYBODY,) if readers is None else readers, caller)
            if await self.policies.create(first, [_published(first, artifact)]):
                return first

    async def delete(self, name: str, caller: Caller) -> None:
        """Hide a policy from new jobs; raises `PolicyInUse` while an undecided job has it."""
        found = await self.get(name, caller)
        found.require_owner(caller)
        if name in self.shipped:
            raise NotOwner(f"{name!r} comes with Assay and cannot be deleted")
        if jobs := await self.jobs_using(name):
            raise PolicyInUse(f"{jobs} undecided jobs use the policy {name!r}; delete it after their verdicts")
        if bound := [each.id for each in await self.bindings.find(policy=name)]:
            raise PolicyInUse(f"the name {bound[0]!r} is bound to the policy {name!r}; bind it to another one first")
        now = self.now()

        def hide(record: NamedPolicy) -> Decision[NamedPolicy] | None:
            event = PolicyDeleted(name=name, revision=record.newest.revision, author=caller.id, at=now)
            return record.model_copy(update={"deleted": True}), [event]

        await self.policies.change(name, hide)

    async def for_job(self, asked: str | None, alias: str | None, owner: str) -> tuple[str, Policy | None]:
        """The policy of a job: that of its stable name, else the one it asked for, else the default."""
        binding = await self.bindings.get(alias) if alias else None
        if binding is not None and binding.policy is not None:
            found = await self._find(binding.policy)
            return binding.policy, found.newest if found else None
        name = asked or self.default
        found = await self._find(name)
        allowed = found is not None and not found.deleted and found.readable_by(Caller(id=owner))
        return name, found.newest if found is not None and allowed else None

    async def pin(self, policy: Policy, job_id: str) -> PolicyPinned:
        """The event that fixes a job's policy, with the rubric for those who score its answers."""
        rubric = await asyncio.to_thread(self.files.put_bytes, policy.rubric.model_dump_json().encode())
        return PolicyPinned(job_id=job_id, policy=policy.name, revision=policy.revision, rubric=rubric)

    async def revision_of(self, name: str, number: int) -> Policy | None:
        """One revision of a policy, also of a deleted one."""
        found = await self._find(name)
        return next((each for each in found.revisions if each.revision == number), None) if found else None

    async def of_review(self, asked: str | None, alias: str | None) -> Policy | None:
        """The newest revision of the policy of a review that was decided already, also of a deleted policy."""
        binding = await self.bindings.get(alias) if alias else None
        bound = binding.policy if binding is not None else None
        found = await self._find(bound or asked or self.default)
        return found.newest if found else None

    async def bind(self, alias: str, policy: str | None, caller: Caller) -> Binding:
        """Bind a stable name to a policy that all its jobs then have; None ends the binding."""
        if policy is not None:
            await self.get(policy, caller)
        now = self.now()
        record = Binding(id=alias, policy=policy, author=caller.id, bound_at=int(now), changed_at=now)
        event = AliasBound(alias=alias, policy=policy, author=caller.id, at=now)

        def rebind(known: Binding) -> Decision[Binding] | None:
            return None if known.policy == policy else (record, [event])

        if await self.bindings.create(record, [event]):
            return record
        return await self.bindings.change(alias, rebind) or record

    async def _find(self, name: str) -> NamedPolicy | None:
        written = await self.policies.get(name)
        return written or (_shipped(self.shipped[name]) if name in self.shipped else None)

    def _first(self, name: str, content: PolicyContent, readers: tuple[str, ...], caller: Caller) -> NamedPolicy:
        before = (self.shipped[name],) if name in self.shipped else ()
        first = revision_of(name, content, 1, caller, int(self.now()))
        owner = "" if before else caller.id
        return NamedPolicy(id=name, revisions=(*before, first), owner=owner, readers=readers)


def _shipped(policy: Policy) -> NamedPolicy:
    return NamedPolicy(id=policy.name, revisions=(policy,), readers=(EVERYBODY,))


def _published(policy: NamedPolicy, content: Artifact) -> PolicyPublished:
    newest = policy.newest
    return PolicyPublished(
        name=policy.id,
        revision=newest.revision,
        content=content,
        owner=policy.owner,
        author=newest.author,
        at=newest.created_at,
        rank_by=newest.rank_by,
        readers=policy.readers,
    )
