"""What review needs from the outside."""

from collections.abc import Callable, Sequence
from typing import Protocol

from services.review.domain.policy import Policy
from services.review.domain.review import Review
from services.review.domain.run import Run
from shared.cloudevents import EventData
from shared.events import Artifact
from shared.store import Entity

RunDecision = Callable[[Run], tuple[Run, Sequence[EventData]] | None]
ReviewDecision = Callable[[Review], tuple[Review, Sequence[EventData]] | None]


class RunRecord(Entity):
    """A run as it is kept; `id` is the job's."""

    run: Run


class ReviewRecord(Entity):
    """A review as it is kept; `opened_at` is in Unix seconds."""

    opened_at: float
    review: Review


class PolicyRecord(Entity):
    """A policy with all its revisions, oldest first; `id` is its name."""

    versions: tuple[Policy, ...]


class RunStore(Protocol):
    """Keeps runs; a decision and the events that tell of it are saved together."""

    async def get(self, job_id: str) -> Run | None: ...

    async def change(self, job_id: str, decide: RunDecision) -> Run:
        """Apply a decision to a run; one that is not known yet begins empty."""
        ...


class ReviewStore(Protocol):
    """Keeps reviews; a decision and the events that tell of it are saved together."""

    async def get(self, review_id: str) -> ReviewRecord | None: ...

    async def create(self, entity: ReviewRecord, events: Sequence[EventData] = ()) -> bool: ...

    async def change(self, review_id: str, decide: ReviewDecision) -> ReviewRecord | None: ...

    async def newest(self, status: str | None, limit: int) -> list[ReviewRecord]: ...


class PolicyStore(Protocol):
    """Keeps policies that people have written."""

    async def get(self, name: str) -> Policy | None: ...

    async def names(self) -> list[str]: ...

    async def append(self, name: str, revise: Callable[[Policy | None], Policy | None]) -> Policy:
        """Add the revision that `revise` makes of the newest; None from it leaves the newest as it is."""
        ...


class Files(Protocol):
    """Artifacts by digest."""

    def read(self, artifact: Artifact) -> bytes: ...
