"""What the trainer answers by HTTP: its runs, what was decided for each and why, and their curves."""

from typing import Annotated

from litestar import Router, get
from litestar.di import NamedDependency
from litestar.params import FromPath, Parameter
from pydantic import BaseModel

from services.trainer.domain.run import Run
from services.trainer.service import Runs
from shared.events import TrainingMetrics
from shared.web import NotFound, allow


class RunDetail(BaseModel):
    """A run with its curve: the metrics of each step."""

    run: Run
    curve: list[TrainingMetrics]


@get("/{job_id:str}")
async def run(job_id: FromPath[str], runs: NamedDependency[Runs]) -> RunDetail:
    """One run: its plan with the reasons, its checkpoints and its curve."""
    found = await runs.get(job_id)
    if found is None:
        raise NotFound(f"there is no run {job_id!r}")
    return RunDetail(run=found, curve=await runs.curve(job_id))


@get("/")
async def newest(runs: NamedDependency[Runs], limit: Annotated[int, Parameter(ge=1, le=100)] = 20) -> list[Run]:
    """The newest runs, without their curves."""
    return await runs.newest(limit)


routes = Router("/v1/runs", route_handlers=[run, newest], guards=[allow("train")], tags=["runs"])
