"""Series of datasets: which version is the newest, and the number of the next one."""

from dataclasses import dataclass

from services.ingest.domain.dataset import Dataset
from services.ingest.domain.series_number import SeriesNumber, number_id
from shared.events import DatasetUploaded
from shared.store import Collection


@dataclass(frozen=True)
class Series:
    """Numbers are claimed, because several processes check files of one series."""

    datasets: Collection[Dataset]
    numbers: Collection[SeriesNumber]

    async def newest(self, upload: DatasetUploaded) -> Dataset | None:
        """The newest version of the series that a file belongs to."""
        if not upload.dataset:
            return None
        series = {"upload__owner": upload.owner, "upload__dataset": upload.dataset, "status": "ready"}
        found = await self.datasets.find(**series, newest_first="number", limit=1)
        return found[0] if found else None

    async def claim(self, upload: DatasetUploaded, previous: Dataset | None, *, if_newest: bool) -> int | None:
        """The next free number for a file that was compared with `previous`.

        With `if_newest`, None if `previous` is no longer the newest version. The same file gets its number again. One
        that was claimed by a check that did not end, or is about to, is left out.
        """
        number = following(previous)
        while upload.dataset:
            if if_newest and not await self._is_newest(upload, previous):
                return None
            claim = SeriesNumber(id=number_id(upload.owner, upload.dataset, number), file_id=upload.file_id)
            if await self.numbers.create(claim) or await self.numbers.get(claim.id) == claim:
                break
            number += 1
        return number

    async def _is_newest(self, upload: DatasetUploaded, previous: Dataset | None) -> bool:
        newest = await self.newest(upload)
        return (newest and newest.id) == (previous and previous.id)

    async def release(self, deleted: Dataset) -> None:
        """Free the number of a deleted version; a refused file has none."""
        upload = deleted.upload
        if not upload.dataset:
            return
        claimed = await self.numbers.get(number_id(upload.owner, upload.dataset, deleted.number))
        if claimed is not None and claimed.file_id == deleted.id:
            await self.numbers.delete(claimed.id)


def following(previous: Dataset | None) -> int:
    """The number after that of `previous`."""
    return 1 if previous is None else previous.number + 1
