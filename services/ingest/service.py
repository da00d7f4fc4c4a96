"""What ingest does: check an uploaded file, split it, and say how that went."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from services.ingest.domain.files import DatasetRefused, Example, read_file
from services.ingest.ports import Dataset, DatasetStore, Files
from shared.events import DatasetReady, DatasetRejected, DatasetUploaded, Split, Splits


@dataclass(frozen=True)
class Datasets:
    """The use cases over datasets."""

    store: DatasetStore
    files: Files

    async def check(self, upload: DatasetUploaded) -> None:
        """Make a dataset of an uploaded file, or refuse it with the lines that are bad; once for each file."""
        if upload.purpose != "fine-tune" or await self.store.get(upload.file_id) is not None:
            return
        try:
            # A large file takes seconds, and heartbeats must go on meanwhile.
            ready = await asyncio.to_thread(self._prepare, upload)
        except DatasetRefused as refused:
            rejected = DatasetRejected(
                file_id=upload.file_id, rows=refused.rows, bad_rows=refused.bad_rows, errors=refused.errors
            )
            dataset = Dataset(id=upload.file_id, upload=upload, status="rejected", rejected=rejected)
            await self.store.create(dataset, [rejected])
            return
        await self.store.create(Dataset(id=upload.file_id, upload=upload, status="ready", ready=ready), [ready])

    async def get(self, dataset_id: str) -> Dataset | None:
        return await self.store.get(dataset_id)

    async def newest(self, limit: int, owner: str | None = None) -> list[Dataset]:
        """The newest datasets of one owner, or of all."""
        return await self.store.newest(limit, owner)

    def _prepare(self, upload: DatasetUploaded) -> DatasetReady:
        checked = read_file(self.files.read(upload.artifact), drop_bad_rows=upload.drop_bad_rows)
        parts = checked.split(upload.split_seed)
        return DatasetReady(
            file_id=upload.file_id,
            rows=len(checked.examples),
            dropped_rows=checked.dropped_rows,
            duplicate_rows=checked.duplicate_rows,
            splits=Splits(
                train=self._save(parts.train),
                validation=self._save(parts.validation),
                test=self._save(parts.test),
            ),
            owner=upload.owner,
            train=upload.train,
        )

    def _save(self, examples: Sequence[Example]) -> Split:
        content = b"".join(example.line() for example in examples)
        return Split(artifact=self.files.put_bytes(content), rows=len(examples))
