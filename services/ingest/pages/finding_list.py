"""Every error and notice of a file, in pages."""

import asyncio
from typing import Annotated, Any

from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath, Parameter

from services.ingest.pages import PAGES
from services.ingest.pages.access import visible
from services.ingest.service.datasets import Datasets
from services.ingest.service.findings import Findings

AnyRequest = Request[Any, Any, Any]
PAGE_SIZE = 50
SEVERITIES = ("error", "notice")


@get("/datasets/{dataset_id:str}/findings")
async def finding_list(
    request: AnyRequest,
    dataset_id: FromPath[str],
    datasets: NamedDependency[Datasets],
    findings: NamedDependency[Findings],
    after: Annotated[int, Parameter(ge=0)] = 0,
    severity: Annotated[str, Parameter(max_length=16)] = "",
    code: Annotated[str, Parameter(max_length=64)] = "",
) -> Response[bytes]:
    """A page of findings from a position on, of one severity or code if asked for."""
    found = await visible(request, datasets, dataset_id)
    chosen = severity if severity in SEVERITIES else ""
    page = await asyncio.to_thread(findings.page, found, after, PAGE_SIZE, chosen, code)
    values: dict[str, Any] = {
        "data": found,
        "page": page,
        "severity": chosen,
        "code": code,
        "after": after,
        "severities": SEVERITIES,
    }
    return PAGES.page(request, "findings.html.j2", at="data", **values)
