"""What ingest answers by HTTP: how each uploaded file was found."""

from typing import Annotated, Any

from litestar import Request, Router, get
from litestar.di import NamedDependency
from litestar.params import FromPath, Parameter

from services.ingest.ports import Dataset
from services.ingest.service import Datasets
from shared.security import Key
from shared.web import NotFound, allow

AnyRequest = Request[Any, Any, Any]


@get("/{dataset_id:str}")
async def dataset(request: AnyRequest, dataset_id: FromPath[str], datasets: NamedDependency[Datasets]) -> Dataset:
    """One dataset of this key: its parts, or the lines that were refused and why."""
    found = await datasets.get(dataset_id)
    # What is another key's is as good as not there.
    if found is None or not request.state.key.owns(found.upload.owner):
        raise NotFound(f"there is no dataset {dataset_id!r}")
    return found


@get("/")
async def newest(
    request: AnyRequest, datasets: NamedDependency[Datasets], limit: Annotated[int, Parameter(ge=1, le=100)] = 20
) -> list[Dataset]:
    """The newest datasets of this key, of all keys for an administrator."""
    key: Key = request.state.key
    return await datasets.newest(limit, None if key.allows("admin") else key.id)


routes = Router("/v1/datasets", route_handlers=[dataset, newest], guards=[allow("train")], tags=["datasets"])
