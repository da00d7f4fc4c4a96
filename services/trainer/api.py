"""What the trainer answers by HTTP: its runs, what was decided for each and why, and their curves."""

import json
from collections.abc import AsyncIterator
from typing import Annotated, Any

from litestar import Request, Router, get
from litestar.di import NamedDependency
from litestar.params import FromPath, Parameter
from litestar.response import ServerSentEvent, ServerSentEventMessage
from pydantic import BaseModel

from services.trainer.domain.curve import smooth
from services.trainer.domain.diagnosis import Diagnosis, diagnose
from services.trainer.domain.run import Run
from services.trainer.service.runs import Runs
from shared.events import TrainingMetrics
from shared.security import Key
from shared.web import NotFound, allow

AnyRequest = Request[Any, Any, Any]


class RunDetail(BaseModel):
    """A run with its curve, the metrics of each step, and what the curve shows.

    `smoothed_train_loss` has one value for each point of the curve that has a training loss.
    """

    run: Run
    curve: list[TrainingMetrics]
    smoothed_train_loss: list[float]
    diagnoses: list[Diagnosis]


@get("/{job_id:str}")
async def run(request: AnyRequest, job_id: FromPath[str], runs: NamedDependency[Runs]) -> RunDetail:
    """One run of this key: its plan with the reasons, its checkpoints, its curve and what that shows."""
    return await _detail(job_id, runs, request.state.key)


@get("/{job_id:str}/live")
async def live(
    request: AnyRequest,
    job_id: FromPath[str],
    runs: NamedDependency[Runs],
    last_step: Annotated[int, Parameter(header="Last-Event-ID", ge=0, required=False)] = 0,
) -> ServerSentEvent:
    """A run as it goes, as server-sent events: `metrics` a step, whose number is the event's id, and one `end`.

    The stream can be taken up again after any step, by the header `Last-Event-ID`.
    """
    await _detail(job_id, runs, request.state.key)
    return ServerSentEvent(_messages(job_id, runs, request.state.key, last_step))


async def _messages(job_id: str, runs: Runs, key: Key, last_step: int) -> AsyncIterator[ServerSentEventMessage]:
    async for point in runs.live(job_id, last_step):
        yield ServerSentEventMessage(event="metrics", id=str(point.step), data=point.model_dump_json(exclude_none=True))
    detail = await _detail(job_id, runs, key)
    ended = {"status": detail.run.status, "diagnoses": [diagnosis.model_dump() for diagnosis in detail.diagnoses]}
    yield ServerSentEventMessage(event="end", data=json.dumps(ended))


async def _detail(job_id: str, runs: Runs, key: Key) -> RunDetail:
    found = await runs.get(job_id)
    # What is another key's is as good as not there.
    if found is None or not key.owns(found.request.owner):
        raise NotFound(f"there is no run {job_id!r}")
    curve = await runs.curve(job_id)
    smoothed = smooth([point.train_loss for point in curve if point.train_loss is not None])
    return RunDetail(run=found, curve=curve, smoothed_train_loss=smoothed, diagnoses=list(diagnose(curve)))


@get("/")
async def newest(
    request: AnyRequest, runs: NamedDependency[Runs], limit: Annotated[int, Parameter(ge=1, le=100)] = 20
) -> list[Run]:
    """The newest runs of this key, of all keys for an administrator, without their curves."""
    key: Key = request.state.key
    return await runs.newest(limit, None if key.allows("admin") else key.id)


routes = Router("/v1/runs", route_handlers=[run, live, newest], guards=[allow("train")], tags=["runs"])
