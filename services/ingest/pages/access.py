"""Who may see a dataset on a page."""

from typing import Any

from litestar import Request

from services.ingest.domain.dataset import Dataset
from services.ingest.service.datasets import Datasets
from shared.security import Key
from shared.web import NotFound

AnyRequest = Request[Any, Any, Any]


def owner_of(request: AnyRequest) -> str | None:
    """The owner of the datasets that the reader sees: the reader; None for an administrator, who sees all."""
    key: Key = request.state.key
    return None if key.allows("admin") else key.person


async def visible(request: AnyRequest, datasets: Datasets, dataset_id: str) -> Dataset:
    """A dataset of the reader; 404 for those of other keys."""
    found = await datasets.get(dataset_id)
    if found is None or not request.state.key.owns(found.upload.owner):
        raise NotFound(f"there is no dataset {dataset_id!r}")
    return found
