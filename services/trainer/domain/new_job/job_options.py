"""What a new job can name: uploaded files, suites and policies, as the events of their owners tell."""

from typing import Literal, Self

from shared.events import Value

OptionKind = Literal["suite", "policy"]
SHIPPED_POLICIES = ("automatic", "guarded", "hybrid")
"""Review publishes no facts about the policies that come with Assay."""


class UploadedName(Value):
    """What an uploaded file is called; `id` is the file's. `created_at` is in Unix seconds."""

    id: str
    filename: str = ""
    owner: str = ""
    created_at: int = 0
    deleted: bool = False


class NamedOption(Value):
    """A suite or a policy. Publications and deletions may arrive in any order; the highest revision counts.

    `newest` and `deleted_at` are revisions; -1 before the first.
    """

    kind: OptionKind
    name: str
    owner: str = ""
    """Empty for what Assay ships."""
    readers: tuple[str, ...] = ()
    """Who may use it besides its owner; `*` stands for all."""
    newest: int = -1
    deleted_at: int = -1

    @property
    def id(self) -> str:
        return f"{self.kind}/{self.name}"

    @property
    def available(self) -> bool:
        """A later revision than the deleted one makes it available again."""
        return self.newest > self.deleted_at

    def published(self, revision: int, owner: str, readers: tuple[str, ...] = ()) -> Self:
        if revision < self.newest:
            return self
        return self.model_copy(update={"newest": revision, "owner": owner, "readers": readers})

    def deleted(self, revision: int) -> Self:
        return self.model_copy(update={"deleted_at": max(revision, self.deleted_at)})
