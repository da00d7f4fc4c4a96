"""Changes of suites and policies, which other services check and replay rebuilds."""

from typing import Annotated, ClassVar

from pydantic import Field

from shared.bounds import MaxEntries
from shared.cloudevents import EventData
from shared.events.bounded_texts import Id, Metric, Name
from shared.events.values import Artifact


class _Revised(EventData):
    """A named document of which each change makes a new revision. `content` is the document as JSON."""

    name: Name
    revision: int = Field(ge=0)
    content: Artifact
    owner: Id = ""
    """Empty for what Assay ships."""
    author: Id = ""
    """The key that made this revision."""
    at: float = Field(ge=0)

    def aggregate_id(self) -> str:
        return self.name

    def natural_key(self) -> str:
        return f"{self.name}/{self.revision}"


class _Deleted(EventData):
    """A named document is hidden from new jobs; `revision` is the last one."""

    name: Name
    revision: int = Field(ge=0)
    author: Id
    at: float = Field(ge=0)

    def aggregate_id(self) -> str:
        return self.name

    def natural_key(self) -> str:
        return f"{self.name}/{self.revision}"


class SuitePublished(_Revised):
    """A suite has a new revision."""

    type: ClassVar[str] = "suite.published"


class SuiteDeleted(_Deleted):
    """A suite is hidden from new jobs."""

    type: ClassVar[str] = "suite.deleted"


class PolicyPublished(_Revised):
    """A policy has a new revision; `rank_by` is the metric by which it ranks a job's checkpoints.

    `readers` are the keys that may use it besides its owner; `*` stands for all.
    """

    type: ClassVar[str] = "policy.published"
    rank_by: Metric = ""
    """Empty in events from before it was told."""
    readers: Annotated[tuple[Id, ...], MaxEntries(100)] | None = None
    """None in older events, which do not say it."""


class PolicyDeleted(_Deleted):
    """A policy is hidden from new jobs."""

    type: ClassVar[str] = "policy.deleted"


class PolicyPinned(EventData):
    """Review fixed the policy of a job; later revisions do not affect the job.

    `rubric` is the policy's rubric as JSON: `{"lowest", "highest", "criteria": [{"name", "weight", "question",
    "anchors"}]}`.
    """

    type: ClassVar[str] = "policy.pinned"
    job_id: Id
    policy: Name
    revision: int = Field(ge=0)
    rubric: Artifact

    def aggregate_id(self) -> str:
        return self.job_id
