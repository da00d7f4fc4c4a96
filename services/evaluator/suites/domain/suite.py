"""A suite: tasks under one name, with an owner, readers and revisions."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from services.evaluator.suites.domain.suite_errors import SuiteChanged
from services.evaluator.suites.domain.task import LONGEST_NAME, NAME
from shared.events import Artifact, SuiteDeleted, SuitePublished

MAX_TASKS = 100
MAX_REVISIONS = 1000
EVERYONE = "*"


class SuiteContent(BaseModel):
    """A suite before its tasks are checked; each task is checked separately, so that one bad task does no harm."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    description: str = Field(default="", max_length=4000)
    tasks: tuple[dict[str, Any], ...] = Field(min_length=1, max_length=MAX_TASKS)
    readers: tuple[str, ...] = Field(default=(), max_length=100)
    """Ids of keys that may see and use the suite besides its owner; `*` stands for all keys."""


class SuiteRevision(BaseModel):
    """One revision of a suite; `at` is in Unix seconds. `content` is a `SuiteContent` as JSON."""

    model_config = ConfigDict(frozen=True)

    revision: int
    content: Artifact
    author: str
    at: float


class Suite(SuiteContent):
    """A named suite. Each change by HTTP is the next revision; one from a file has no owner."""

    # The store reads it with its id.
    model_config = ConfigDict(extra="ignore")

    name: str = Field(pattern=NAME)
    number: int = Field(default=0, ge=0, serialization_alias="revision")
    """The revision; the store has its own field of that name."""
    owner: str = ""
    source: Literal["api", "folder", "shipped"] = "api"
    """Put by HTTP, a file in a folder of the server, or a file that comes with Assay."""
    deleted: bool = False
    """Hidden from new jobs; jobs that use one of its revisions keep it."""
    revisions: tuple[SuiteRevision, ...] = ()

    @property
    def id(self) -> str:
        return self.name

    @property
    def revision(self) -> int:
        return self.number

    @property
    def is_file(self) -> bool:
        """Whether it is changed in its folder, not by HTTP. Its revision counts what was published of it."""
        return self.source != "api"

    @property
    def content(self) -> SuiteContent:
        return SuiteContent(description=self.description, tasks=self.tasks, readers=self.readers)

    def readable_by(self, key_id: str) -> bool:
        return self.owner in ("", key_id) or key_id in self.readers or EVERYONE in self.readers

    def require_unchanged(self, since: int) -> None:
        """Raise `SuiteChanged` unless this revision is still the newest; 0 stands for no suite, or a deleted one."""
        if self.deleted and since != 0:
            raise SuiteChanged(f"the suite {self.name} was deleted after you opened it")
        if not self.deleted and self.revision != since:
            raise SuiteChanged(f"revision {self.revision} was saved after you opened the table; open it again")

    def artifact_of(self, revision: int) -> Artifact | None:
        return next((each.content for each in self.revisions if each.revision == revision), None)

    def revised(self, content: SuiteContent, artifact: Artifact, author: str, at: float) -> Self:
        """With a new revision."""
        new = SuiteRevision(revision=self.revision + 1, content=artifact, author=author, at=at)
        changes = {**content.__dict__, "number": new.revision, "revisions": (*self.revisions, new), "deleted": False}
        return self.model_copy(update=changes)

    def published(self) -> SuitePublished:
        newest = self.revisions[-1]
        return SuitePublished(
            name=self.name,
            revision=newest.revision,
            content=newest.content,
            owner=self.owner,
            author=newest.author,
            at=newest.at,
        )

    def deletion(self, author: str, at: float) -> SuiteDeleted:
        return SuiteDeleted(name=self.name, revision=self.revision, author=author, at=at)


class FolderSuite(BaseModel):
    """What was published of a suite in a folder of the server; `id` is its name."""

    id: str
    number: int = 0
    sha256: str = ""


class SuitePins(BaseModel):
    """The revisions of the suites that a job uses, so that later changes do not affect it; `id` is the job's."""

    id: str
    revisions: dict[str, int] = Field(default_factory=dict)


def task_names(tasks: Sequence[Mapping[str, Any]]) -> list[str]:
    """The name of each task in reports, also if its own is missing or not unique."""
    found: list[str] = []
    for place, raw in enumerate(tasks, start=1):
        name = raw.get("name")
        usable = isinstance(name, str) and 0 < len(name) <= LONGEST_NAME and name not in found
        found.append(str(name) if usable else f"task-{place}")
    return found
