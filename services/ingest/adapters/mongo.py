"""Datasets in MongoDB."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.ingest.ports import Dataset
from shared.cloudevents import EventData
from shared.store import Collection


@dataclass(frozen=True)
class MongoDatasetStore:
    """One document a dataset, keyed by the file's id."""

    datasets: Collection[Dataset]

    async def get(self, entity_id: str) -> Dataset | None:
        return await self.datasets.get(entity_id)

    async def create(self, entity: Dataset, events: Sequence[EventData] = ()) -> bool:
        return await self.datasets.create(entity, events)

    async def newest(self, limit: int, owner: str | None) -> list[Dataset]:
        where = {} if owner is None else {"upload__owner": owner}
        return await self.datasets.find(**where, newest_first="upload.created_at", limit=limit)
