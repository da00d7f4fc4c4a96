"""Who may see a dataset, and the errors of these routes."""

from typing import Any

from litestar import Request, Response

from services.ingest.domain.dataset import Dataset
from services.ingest.domain.template_version import TemplateRefused
from services.ingest.service.datasets import Datasets
from services.ingest.service.rows import NoRows
from shared.web import NotFound, problem

AnyRequest = Request[Any, Any, Any]


async def visible(request: AnyRequest, datasets: Datasets, dataset_id: str) -> Dataset:
    """A dataset of the caller's key; 404 for those of other keys."""
    found = await datasets.get(dataset_id)
    if found is None or not request.state.key.owns(found.upload.owner):
        raise NotFound(f"there is no dataset {dataset_id!r}")
    return found


def _no_rows(_request: AnyRequest, _error: Exception) -> Response[Any]:
    return problem(409, "No rows", "the file was refused, so there are no rows: see its findings")


def _template_refused(_request: AnyRequest, error: Exception) -> Response[Any]:
    return problem(400, "Bad template", str(error))


PROBLEMS: dict[Any, Any] = {NoRows: _no_rows, TemplateRefused: _template_refused}
