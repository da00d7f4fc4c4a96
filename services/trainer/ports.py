"""Interfaces between the trainer's use cases and the technologies behind them."""

from collections.abc import AsyncIterator, Sequence
from typing import Any, Protocol

from services.trainer.domain.auto_hyperparameters import BaseShape
from services.trainer.domain.training_run import TrainingRun
from shared.events import TrainingMetrics


class RunArchive(Protocol):
    """Ended runs, stored beside their artifacts so that they outlive the database."""

    async def keep(self, run: TrainingRun, curve: Sequence[TrainingMetrics]) -> None: ...

    async def find(self, job_id: str) -> tuple[TrainingRun, list[TrainingMetrics]] | None: ...


class UnknownBaseModel(Exception):
    """No base model of that name can be trained here; the message lists those that can."""


class BaseModel(BaseShape):
    """A base model: `path` is a folder or a name on a hub."""

    name: str
    path: str


class BaseModels(Protocol):
    """The base models that can be trained here."""

    async def find(self, name: str) -> BaseModel:
        """Raises `UnknownBaseModel`."""
        ...


class Worker(Protocol):
    """A worker process that trains one run."""

    def messages(self) -> AsyncIterator[dict[str, Any]]: ...

    def ask_to_stop(self) -> None: ...

    def ask_to_save_and_stop(self) -> None: ...

    async def kill(self) -> None: ...


class Workers(Protocol):
    """Starts worker processes."""

    async def start(self, run: TrainingRun, base_model: BaseModel) -> Worker: ...
