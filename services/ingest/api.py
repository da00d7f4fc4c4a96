"""What ingest answers by HTTP: how each uploaded file was found."""

from typing import Annotated

from litestar import Router, get
from litestar.di import NamedDependency
from litestar.params import FromPath, Parameter

from services.ingest.ports import Dataset
from services.ingest.service import Datasets
from shared.web import NotFound, allow


@get("/{dataset_id:str}")
async def dataset(dataset_id: FromPath[str], datasets: NamedDependency[Datasets]) -> Dataset:
    """One dataset: its parts, or the lines that were refused and why."""
    found = await datasets.get(dataset_id)
    if found is None:
        raise NotFound(f"there is no dataset {dataset_id!r}")
    return found


@get("/")
async def newest(
    datasets: NamedDependency[Datasets], limit: Annotated[int, Parameter(ge=1, le=100)] = 20
) -> list[Dataset]:
    """The newest datasets."""
    return await datasets.newest(limit)


routes = Router("/v1/datasets", route_handlers=[dataset, newest], guards=[allow("train")], tags=["datasets"])
