"""What the trainer needs from the outside."""

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, Protocol

from services.trainer.domain.plan import BaseShape
from services.trainer.domain.run import Run
from shared.cloudevents import EventData
from shared.events import DatasetReady, DatasetRejected, TrainingMetrics, Value

Decision = tuple[Run, Sequence[EventData]]


class DatasetView(Value):
    """What the trainer knows of a dataset: one of the two."""

    id: str
    ready: DatasetReady | None = None
    rejected: DatasetRejected | None = None


class CurvePoint(Value):
    """One step of one attempt."""

    job_id: str
    attempt: int
    metrics: TrainingMetrics


class RunStore(Protocol):
    """Keeps runs, their curves and what is known of datasets; state and events are saved together."""

    async def get(self, job_id: str) -> Run | None: ...

    async def create(self, run: Run, events: Sequence[EventData] = ()) -> bool: ...

    async def change(self, job_id: str, decide: Callable[[Run], Decision | None]) -> Run | None: ...

    async def waiting_for(self, file_id: str) -> list[Run]:
        """Runs that are `validating_files` and name this file."""
        ...

    async def unfinished(self) -> list[Run]:
        """Runs that are `queued` or `running`."""
        ...

    async def newest(self, limit: int, owner: str | None) -> list[Run]:
        """The newest runs, of one owner or of all."""
        ...

    async def dataset(self, file_id: str) -> DatasetView | None: ...

    async def add_dataset(self, view: DatasetView, events: Sequence[EventData] = ()) -> bool: ...

    async def add_point(self, point: CurvePoint, events: Sequence[EventData] = ()) -> bool: ...

    async def curve(self, job_id: str) -> list[TrainingMetrics]:
        """The metrics of each step, in order; of a step that was repeated, the last attempt's."""
        ...


class Archive(Protocol):
    """Runs that have ended, kept beside their artifacts: they outlive the database."""

    async def keep(self, run: Run, curve: Sequence[TrainingMetrics]) -> None: ...

    async def find(self, job_id: str) -> tuple[Run, list[TrainingMetrics]] | None: ...


class UnknownBaseModel(Exception):
    """No base model of that name can be trained here; the message names those that can."""


class BaseModel(BaseShape):
    """A base model: `path` is a folder or a hub's name."""

    name: str
    path: str


class BaseModels(Protocol):
    """The base models that can be trained here."""

    async def find(self, name: str) -> BaseModel:
        """Raises `UnknownBaseModel`."""
        ...


class TrainingProcess(Protocol):
    """One running training process."""

    def messages(self) -> AsyncIterator[dict[str, Any]]: ...

    def ask_to_stop(self) -> None: ...

    def ask_to_save_and_stop(self) -> None: ...

    async def kill(self) -> None: ...


class TrainingProcesses(Protocol):
    """Starts training processes."""

    async def start(self, run: Run, base_model: BaseModel) -> TrainingProcess: ...


class Figures(Protocol):
    """Where the operator sees what running jobs do."""

    def show(self, job_id: str, metrics: TrainingMetrics) -> None: ...

    def forget(self, job_id: str) -> None: ...
