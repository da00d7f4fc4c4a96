"""The rows of a dataset: by split, by flag, or by a text that they contain."""

import asyncio
from typing import Annotated, Any

from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath, Parameter

from services.ingest.domain.dataset import Dataset
from services.ingest.pages import PAGES
from services.ingest.pages.access import visible
from services.ingest.pages.shown_row import marked, shown_row
from services.ingest.row_index import FLAGS
from services.ingest.service.datasets import Datasets
from services.ingest.service.rows import PARTS, RowFilter, Rows

AnyRequest = Request[Any, Any, Any]
PAGE_SIZE = 20
_FIRST_ROWS = 4
Choice = Annotated[str, Parameter(max_length=32)]


@get("/datasets/{dataset_id:str}/rows")
async def row_list(
    request: AnyRequest,
    dataset_id: FromPath[str],
    datasets: NamedDependency[Datasets],
    rows: NamedDependency[Rows],
    after: Annotated[int, Parameter(ge=0)] = 0,
    split: Choice = "",
    flag: Choice = "",
    text: Annotated[str, Parameter(max_length=200)] = "",
) -> Response[bytes]:
    """A page of rows from row number `after` on."""
    found = await visible(request, datasets, dataset_id)
    wanted = RowFilter(split if split in PARTS else "", flag if flag in FLAGS else "", text)
    values = await _values(found, rows, after, PAGE_SIZE, wanted)
    return PAGES.page(request, "rows.html.j2", at="data", after=after, splits=PARTS, flags=tuple(FLAGS), **values)


@get("/datasets/{dataset_id:str}/first-rows")
async def rows_part(
    request: AnyRequest, dataset_id: FromPath[str], datasets: NamedDependency[Datasets], rows: NamedDependency[Rows]
) -> Response[bytes]:
    """The first rows, for the page of the dataset."""
    found = await visible(request, datasets, dataset_id)
    values = await _values(found, rows, 0, _FIRST_ROWS, RowFilter())
    return PAGES.fragment(request, "first_rows.html.j2", **values)


async def _values(found: Dataset, rows: Rows, after: int, limit: int, wanted: RowFilter) -> dict[str, Any]:
    values: dict[str, Any] = {"data": found, "wanted": wanted, "marked": marked, "next": None}
    if found.report.index is None:
        return {**values, "shown": None}
    page = await asyncio.to_thread(rows.page, found, after, limit, wanted)
    return {**values, "shown": [shown_row(one) for one in page.data], "next": page.next}
