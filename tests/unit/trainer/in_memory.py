"""The trainer's use cases over a database in memory."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from services.trainer.domain.training_run import TrainingRun
from services.trainer.ports import BaseModel
from services.trainer.service.admission import Admission
from services.trainer.service.run_control import RunControl
from services.trainer.service.run_queue import RunQueue
from services.trainer.service.run_store import RunStore
from shared.events import (
    Artifact,
    DatasetReady,
    Hyperparameters,
    Split,
    Splits,
    TrainingMetrics,
    TrainingRequested,
    TrainingSpec,
)
from shared.store import MemoryStore


@dataclass
class MemoryArchive:
    """Ended runs by id."""

    runs: dict[str, tuple[TrainingRun, list[TrainingMetrics]]] = field(default_factory=dict)

    async def keep(self, run: TrainingRun, curve: Sequence[TrainingMetrics]) -> None:
        self.runs[run.id] = run, list(curve)

    async def find(self, job_id: str) -> tuple[TrainingRun, list[TrainingMetrics]] | None:
        return self.runs.get(job_id)


class OneBaseModel:
    """Knows every name."""

    async def find(self, name: str) -> BaseModel:
        return BaseModel(name=name, path="/nowhere", hidden_size=64, blocks=2)


class Service:
    """All use cases but those of the supervisor."""

    def __init__(self) -> None:
        self.database = MemoryStore("trainer")
        self.store, self.archive, self.base_models = RunStore.of(self.database), MemoryArchive(), OneBaseModel()
        admission = Admission(self.store, self.archive, self.base_models, "org", memory_bytes=2**34)
        self.control = RunControl(self.store, self.archive, admission)
        self.queue = RunQueue(self.store, self.archive)

    async def run(self, job_id: str) -> TrainingRun:
        run = await self.store.runs.get(job_id)
        assert run is not None
        return run

    async def add_dataset(self, file_id: str) -> None:
        split = Split(artifact=Artifact(uri="file:///a", sha256="a" * 64, bytes=100), rows=20)
        await self.control.dataset_ready(
            DatasetReady(file_id=file_id, rows=60, splits=Splits(train=split, validation=split, test=split))
        )

    async def request(self, job_id: str, requested_at: float, priority: int = 0) -> None:
        spec = TrainingSpec(base_model="base", hyperparameters=Hyperparameters(), priority=priority)
        await self.control.request(
            TrainingRequested(
                job_id=job_id, training_file="file", spec=spec, created_at=int(requested_at), requested_at=requested_at
            )
        )
