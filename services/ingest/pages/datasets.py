"""The list of datasets, and the page of one: what was found, where each row went, figures, advice."""

import asyncio
from dataclasses import asdict
from typing import Annotated, Any

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, Parameter
from litestar.response import Redirect

from services.ingest.domain.dataset import Dataset
from services.ingest.exports.export import MEDIA_TYPES
from services.ingest.pages import PAGES
from services.ingest.pages.access import owner_of, visible
from services.ingest.pages.length_chart import length_chart
from services.ingest.pages.shown_row import marked, shown_row
from services.ingest.pages.upload_options import option_choices
from services.ingest.pages.uploads import EXAMPLE
from services.ingest.reading.raw_rows import Detected
from services.ingest.service.datasets import Datasets
from services.ingest.service.rows import Rows
from services.ingest.service.templates import Templates
from shared.store import Cursor

AnyRequest = Request[Any, Any, Any]
PAGE_SIZE = 25
STATUSES = ("ready", "rejected")
SHAPES_OF_KIND = {
    "chat": ("chat", "sharegpt", "alpaca", "prompt_completion", "input_output"),
    "text": ("text",),
    "preference": ("preference", "preference_openai", "rejected_response"),
    "unpaired": ("unpaired",),
}
_VERSIONS_SHOWN = 20
_ROWS_SHOWN = 5


@get("/")
async def dataset_list(
    request: AnyRequest,
    datasets: NamedDependency[Datasets],
    status: Annotated[str, Parameter(max_length=32)] = "",
    series: Annotated[str, Parameter(max_length=64)] = "",
    after: Annotated[str, Parameter(max_length=64)] = "",
) -> Response[bytes]:
    """The newest datasets of this person, of everybody for an administrator; of one status or series if asked for."""
    chosen = status if status in STATUSES else ""
    found = await datasets.page(Cursor(after or None, PAGE_SIZE), owner_of(request), chosen, series.strip())
    values: dict[str, Any] = {
        "found": found,
        "chosen": chosen,
        "series": series.strip(),
        "after": after,
        "example": EXAMPLE.exists(),
    }
    return PAGES.page(request, "datasets.html.j2", at="data", statuses=STATUSES, **values)


@get("/datasets/{dataset_id:str}")
async def dataset_page(
    request: AnyRequest,
    dataset_id: FromPath[str],
    datasets: NamedDependency[Datasets],
    templates: NamedDependency[Templates],
) -> Response[bytes]:
    """The page of one dataset, ready or refused."""
    found = await visible(request, datasets, dataset_id)
    series = found.upload.dataset
    versions = await datasets.newest(_VERSIONS_SHOWN, found.upload.owner, series) if series else []
    lengths = found.report.lengths
    values: dict[str, Any] = {
        "data": found,
        "versions": versions,
        "parts": _parts(found),
        "detected": {**asdict(Detected()), "mapping": {}, **found.report.detected},
        "picture": length_chart(lengths) if lengths and lengths.buckets else None,
        "shapes": SHAPES_OF_KIND.get(found.report.kind, ()),
        "formats": tuple(MEDIA_TYPES),
        "choices": option_choices(await templates.of_owner(found.upload.owner, None, 100)),
        "again": found.upload.model_dump(mode="json"),
    }
    return PAGES.page(request, "dataset.html.j2", at="data", **values)


@get("/datasets/{dataset_id:str}/difference")
async def difference_part(
    request: AnyRequest, dataset_id: FromPath[str], datasets: NamedDependency[Datasets], rows: NamedDependency[Rows]
) -> Response[bytes]:
    """Rows added and removed since the version before, the first of each shown."""
    found = await visible(request, datasets, dataset_id)
    before = await datasets.get(found.previous) if found.previous else None
    if before is None or not request.state.key.owns(before.upload.owner):
        return PAGES.fragment(request, "difference.html.j2", before=None)
    added, removed = await asyncio.to_thread(lambda: rows.index(found).difference(rows.index(before)))
    values: dict[str, Any] = {
        "before": before,
        "marked": marked,
        "added": len(added),
        "removed": len(removed),
        "added_rows": [shown_row(one) for one in await asyncio.to_thread(rows.chosen, found, added[:_ROWS_SHOWN])],
        "removed_rows": [shown_row(one) for one in await asyncio.to_thread(rows.chosen, before, removed[:_ROWS_SHOWN])],
    }
    return PAGES.fragment(request, "difference.html.j2", **values)


@post("/datasets/{dataset_id:str}/removal", status_code=303)
async def removed(request: AnyRequest, dataset_id: FromPath[str], datasets: NamedDependency[Datasets]) -> Redirect:
    """Delete a dataset; jobs that already use it continue."""
    await visible(request, datasets, dataset_id)
    await datasets.delete(dataset_id)
    return Redirect("/console/ingest/", status_code=303)


def _parts(found: Dataset) -> list[tuple[str, int, str]]:
    """Where each row of the file went, as (name, rows, role); they add up to all rows that were read."""
    counts, twins = found.report.counts, found.report.twins
    if found.status == "rejected":
        return [("dropped", counts.dropped, "bad"), ("unused", counts.rows - counts.dropped, "edge")]
    return [
        ("train", counts.train, "cand"),
        ("validation", counts.validation, "x1"),
        ("test", counts.test, "prod"),
        ("dropped", counts.dropped, "bad"),
        ("duplicates", counts.duplicates - twins.left_out, "base"),
        ("across", twins.left_out, "x2"),
    ]
