"""What ingest needs from the outside."""

from collections.abc import Sequence
from typing import Literal, Protocol

from shared.cloudevents import EventData
from shared.events import Artifact, DatasetReady, DatasetRejected, DatasetUploaded
from shared.store import Entity


class Dataset(Entity):
    """An uploaded file and what became of it; `id` is the file's."""

    upload: DatasetUploaded
    status: Literal["ready", "rejected"]
    ready: DatasetReady | None = None
    rejected: DatasetRejected | None = None


class DatasetStore(Protocol):
    """Keeps datasets; a dataset and the event that tells of it are saved together."""

    async def get(self, entity_id: str) -> Dataset | None: ...

    async def create(self, entity: Dataset, events: Sequence[EventData] = ()) -> bool: ...

    async def newest(self, limit: int, owner: str | None) -> list[Dataset]:
        """The newest datasets, of one owner or of all."""
        ...


class Files(Protocol):
    """Artifacts by digest."""

    def read(self, artifact: Artifact) -> bytes: ...

    def put_bytes(self, content: bytes) -> Artifact: ...
