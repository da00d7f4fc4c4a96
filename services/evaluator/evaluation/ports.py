"""What evaluation needs from the outside."""

from collections.abc import Callable, Sequence
from typing import Protocol

from pydantic import Field

from services.evaluator.evaluation.domain.production import Production
from services.evaluator.evaluation.domain.training_row import NearestRow
from shared.cloudevents import EventData
from shared.events import Artifact, EvalDone, Score
from shared.store import Entity


class Evaluation(Entity):
    """One checkpoint's evaluation; `id` is `<job>/<step>`. `evaluated_at` is in Unix seconds.

    `train` holds the rows that the checkpoint was trained on, if they are known.
    """

    job_id: str
    step: int
    evaluated_at: float
    done: EvalDone
    train: Artifact | None = None


class EvaluationStore(Protocol):
    """Stores evaluations, each together with its event."""

    async def get(self, entity_id: str) -> Evaluation | None: ...

    async def create(self, entity: Evaluation, events: Sequence[EventData] = ()) -> bool: ...

    async def of_job(self, job_id: str) -> list[Evaluation]: ...


class Progress(Entity):
    """The progress of a checkpoint's evaluation; `id` is the evaluation's. The test split's name is empty."""

    scores: dict[str, dict[str, Score]] = Field(default_factory=dict)
    """By set of questions, then metric."""
    waiting: tuple[str, ...] = ()
    owner: str = ""
    """Id of the key that owns the job."""


class ProgressStore(Protocol):
    """Stores the progress of evaluations. Lost progress does no harm."""

    async def get(self, entity_id: str) -> Progress | None: ...

    async def put(self, progress: Progress) -> None: ...


class ProductionRecord(Entity):
    """The stored versions of an alias; `id` is the alias."""

    production: Production


class ProductionStore(Protocol):
    """Stores which version each alias points to. Each call is atomic."""

    async def get(self, alias: str) -> Production | None: ...

    async def create(self, alias: str, production: Production) -> bool: ...

    async def change(self, alias: str, decide: Callable[[Production], Production | None]) -> None: ...


class RowSearch(Protocol):
    """Searches training rows, one search at a time."""

    def nearest(self, train: Artifact, text: str, count: int) -> list[NearestRow]:
        """At most `count` rows that are similar to the text, the most similar first; raises `NotExplained`."""
        ...
