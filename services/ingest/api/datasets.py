"""`/v1/datasets`: how each uploaded file was found, its rows, its findings, and what changed since the last version."""

import asyncio
from typing import Annotated, Any, Literal

from litestar import Router, delete, get
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, Parameter

from services.ingest.api.access import AnyRequest, visible
from services.ingest.api.exports import export
from services.ingest.api.findings import finding_page, finding_table
from services.ingest.domain.dataset import Dataset
from services.ingest.service.datasets import Datasets
from services.ingest.service.rows import RowFilter, RowPage, Rows
from shared.security import Key
from shared.web import allow

SplitName = Literal["", "train", "validation", "test", "left_out", "duplicate"]
FlagName = Literal["", "duplicate", "near_duplicate", "contradiction", "in_suite"]
Limit = Annotated[int, Parameter(ge=1, le=1000)]
_DIFFERENCES_SHOWN = 100


@get("/{dataset_id:str}")
async def dataset(request: AnyRequest, dataset_id: FromPath[str], datasets: NamedDependency[Datasets]) -> Dataset:
    """One dataset of this key: its splits and report, or the rows that were refused and why."""
    return await visible(request, datasets, dataset_id)


@get("/")
async def newest(
    request: AnyRequest,
    datasets: NamedDependency[Datasets],
    limit: Annotated[int, Parameter(ge=1, le=100)] = 20,
    series: FromQuery[str | None] = None,
) -> list[Dataset]:
    """The newest datasets of this key, of all keys for an administrator; `series` lists the versions of one."""
    key: Key = request.state.key
    return await datasets.newest(limit, None if key.allows("admin") else key.person, series)


@get("/{dataset_id:str}/rows")
async def rows(
    request: AnyRequest,
    dataset_id: FromPath[str],
    datasets: NamedDependency[Datasets],
    rows: NamedDependency[Rows],
    after: Annotated[int, Parameter(ge=0)] = 0,
    limit: Limit = 20,
    split: FromQuery[SplitName] = "",
    flag: FromQuery[FlagName] = "",
    text: Annotated[str, Parameter(max_length=200)] = "",
) -> RowPage:
    """A page of rows from number `after` on, filtered by split, by flag, or by a text that they contain."""
    found = await visible(request, datasets, dataset_id)
    return await asyncio.to_thread(rows.page, found, after, limit, RowFilter(split, flag, text))


@get("/{dataset_id:str}/difference")
async def difference(
    request: AnyRequest, dataset_id: FromPath[str], datasets: NamedDependency[Datasets], rows: NamedDependency[Rows]
) -> dict[str, Any]:
    """Rows added and removed since the version before in the same series; the first hundred of each are shown."""
    found = await visible(request, datasets, dataset_id)
    before = await datasets.get(found.previous) if found.previous else None
    if before is None:
        return {"previous": None, "added": 0, "removed": 0, "added_rows": [], "removed_rows": []}
    added, removed = await asyncio.to_thread(lambda: rows.index(found).difference(rows.index(before)))
    return {
        "previous": before.id,
        "added": len(added),
        "removed": len(removed),
        "added_rows": await asyncio.to_thread(rows.chosen, found, added[:_DIFFERENCES_SHOWN]),
        "removed_rows": await asyncio.to_thread(rows.chosen, before, removed[:_DIFFERENCES_SHOWN]),
    }


@delete("/{dataset_id:str}")
async def remove(request: AnyRequest, dataset_id: FromPath[str], datasets: NamedDependency[Datasets]) -> None:
    """Delete a dataset; jobs that already use it continue."""
    await visible(request, datasets, dataset_id)
    await datasets.delete(dataset_id)


datasets_router = Router(
    "/v1/datasets",
    route_handlers=[dataset, newest, rows, difference, remove, finding_page, finding_table, export],
    guards=[allow("train")],
    tags=["datasets"],
)
