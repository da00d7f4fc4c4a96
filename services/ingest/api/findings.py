"""All errors and notices of a file: in pages, and as a table to download."""

import asyncio
import csv
import io
import json
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, Parameter
from litestar.response import Stream

from services.ingest.api.access import AnyRequest, visible
from services.ingest.domain.dataset import Dataset
from services.ingest.exports.formulas import neutralised
from services.ingest.service.datasets import Datasets
from services.ingest.service.findings import Findings
from shared.artifacts import Artifacts

COLUMNS = ("severity", "code", "line", "cell", "field", "reason", "fix")


@get("/{dataset_id:str}/findings")
async def finding_page(
    request: AnyRequest,
    dataset_id: FromPath[str],
    datasets: NamedDependency[Datasets],
    findings: NamedDependency[Findings],
    after: Annotated[int, Parameter(ge=0)] = 0,
    limit: Annotated[int, Parameter(ge=1, le=1000)] = 100,
    severity: FromQuery[Literal["", "error", "notice"]] = "",
    code: Annotated[str, Parameter(max_length=64)] = "",
) -> dict[str, Any]:
    """A page of findings; `next` is the `after` of the following page."""
    found = await visible(request, datasets, dataset_id)
    page = await asyncio.to_thread(findings.page, found, after, limit, severity, code)
    return {"data": page.data, "next": page.next}


@get("/{dataset_id:str}/findings.csv")
async def finding_table(
    request: AnyRequest,
    dataset_id: FromPath[str],
    datasets: NamedDependency[Datasets],
    artifacts: NamedDependency[Artifacts],
) -> Stream:
    """All findings as a CSV table."""
    found = await visible(request, datasets, dataset_id)
    headers = {"Content-Disposition": 'attachment; filename="findings.csv"'}
    return Stream(_table(artifacts, found), media_type="text/csv; charset=utf-8", headers=headers)


def _table(artifacts: Artifacts, found: Dataset) -> Iterator[bytes]:
    yield b"\xef\xbb\xbf" + _csv_line(COLUMNS)
    for error in found.report.errors:
        if error.line == 0:
            yield _csv_line(["error", error.code, 0, error.cell, error.field, error.reason, error.fix])
    if found.report.findings is not None:
        with artifacts.open(found.report.findings) as file:
            for line in file:
                one = json.loads(line)
                yield _csv_line([one[column] for column in COLUMNS])


def _csv_line(cells: Any) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerow([neutralised(str(cell)) for cell in cells])
    return text.getvalue().encode()
