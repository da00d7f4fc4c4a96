"""A named policy: its revisions, its owner and its readers."""

from typing import Self

from pydantic import BaseModel, ConfigDict, Field

from services.review.ownership import Caller, NotOwner
from services.review.policies.domain.policy import EVERYBODY, Policy, PolicyContent


class NamedPolicy(BaseModel):
    """A policy under its name. Shipped ones have no owner; `deleted` hides it from new jobs."""

    model_config = ConfigDict(frozen=True)

    id: str
    revisions: tuple[Policy, ...] = Field(min_length=1)
    owner: str = ""
    readers: tuple[str, ...] = (EVERYBODY,)
    deleted: bool = False

    @property
    def newest(self) -> Policy:
        """The revision in force."""
        return self.revisions[-1]

    def readable_by(self, caller: Caller) -> bool:
        """Whether the caller may read this policy and name it in a job."""
        return EVERYBODY in self.readers or caller.owns(self.owner) or not caller.ids.isdisjoint(self.readers)

    def revise(self, content: PolicyContent, readers: tuple[str, ...] | None, caller: Caller, now: int) -> Self | None:
        """With a further revision; None where nothing changes. Raises `NotOwner`.

        Without `readers` it keeps those it has; everybody may read one that was deleted.
        """
        self.require_owner(caller)
        if readers is None:
            readers = (EVERYBODY,) if self.deleted else self.readers
        if self.newest.content == content and self.readers == readers and not self.deleted:
            return None
        revision = revision_of(self.id, content, self.newest.revision + 1, caller, now)
        changed = {"revisions": (*self.revisions, revision), "readers": readers, "deleted": False}
        return self.model_copy(update=changed)

    def require_owner(self, caller: Caller) -> None:
        """Raise `NotOwner` unless the caller may change this policy."""
        if not caller.owns(self.owner):
            raise NotOwner(f"{self.id!r} belongs to {self.owner or 'Assay'}: only its owner and admin can change it")


def revision_of(name: str, content: PolicyContent, revision: int, caller: Caller, now: int) -> Policy:
    """A revision with its author and time."""
    return Policy.model_validate(
        {**content.model_dump(), "name": name, "revision": revision, "author": caller.id, "created_at": now}
    )
