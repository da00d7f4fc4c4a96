"""HTTP API: runs with their plans, curves and diagnoses."""

import json
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Annotated, Any

from litestar import Request, Router, get
from litestar.di import NamedDependency
from litestar.params import FromPath, HeaderParameter, Parameter
from litestar.response import ServerSentEvent, ServerSentEventMessage
from pydantic import BaseModel

from services.trainer.domain.curve.diagnosis import Diagnosis, diagnose_run
from services.trainer.domain.curve.loss_curve import smooth
from services.trainer.domain.training_run import TrainingRun
from services.trainer.service.live_runs import LiveRuns
from services.trainer.service.run_store import RunStore
from shared.events import TrainingMetrics
from shared.security import Key
from shared.web import NotFound, allow

AnyRequest = Request[Any, Any, Any]
_HEARTBEAT_S = 15.0


class RunDetail(BaseModel):
    """A run with its curve (the metrics of each step) and its diagnoses.

    `smoothed_train_loss` has one value for each point of the curve that has a training loss.
    """

    run: TrainingRun
    curve: list[TrainingMetrics]
    smoothed_train_loss: list[float]
    diagnoses: list[Diagnosis]


@get("/{job_id:str}")
async def run(request: AnyRequest, job_id: FromPath[str], store: NamedDependency[RunStore]) -> RunDetail:
    """One run of this key: plan with reasons, checkpoints, curve, diagnoses."""
    return await _detail(job_id, store, request.state.key)


@get("/{job_id:str}/live")
async def live(
    request: AnyRequest,
    job_id: FromPath[str],
    store: NamedDependency[RunStore],
    live_runs: NamedDependency[LiveRuns],
    last_step: Annotated[int, HeaderParameter(name="Last-Event-ID", ge=0, required=False)] = 0,
) -> ServerSentEvent:
    """A run's progress as server-sent events: `metrics` for each step (its number is the event's id), then `end`.

    The header `Last-Event-ID` resumes the stream after any step.
    """
    await _detail(job_id, store, request.state.key)
    return ServerSentEvent(_messages(job_id, live_runs, last_step))


async def _messages(job_id: str, live_runs: LiveRuns, last_step: int) -> AsyncIterator[ServerSentEventMessage]:
    version, position = 0, 0
    async with live_runs.watch(job_id) as view:
        while (watched := await view.after(version, _HEARTBEAT_S)) is None or not watched.run.ended:
            if watched is None:
                yield ServerSentEventMessage(comment="still here")
                continue
            version = watched.version
            for message in _points(watched.log[position:], last_step):
                yield message
            position = len(watched.log)
        for message in _points(watched.log[position:], last_step):
            yield message
    diagnoses = [found.model_dump() for found in diagnose_run(watched.run, watched.curve)]
    end = {"status": watched.run.status, "diagnoses": diagnoses}
    yield ServerSentEventMessage(event="end", data=json.dumps(end))


def _points(log: Sequence[TrainingMetrics], last_step: int) -> Iterator[ServerSentEventMessage]:
    for point in log:
        if point.step > last_step:
            data = point.model_dump_json(exclude_none=True)
            yield ServerSentEventMessage(event="metrics", id=str(point.step), data=data)


async def _detail(job_id: str, store: RunStore, key: Key) -> RunDetail:
    found = await store.runs.get(job_id)
    # Returns 404 for runs of other keys.
    if found is None or not key.owns(found.request.owner):
        raise NotFound(f"there is no run {job_id!r}")
    curve = await store.curve(job_id)
    smoothed = smooth([point.train_loss for point in curve if point.train_loss is not None])
    return RunDetail(run=found, curve=curve, smoothed_train_loss=smoothed, diagnoses=list(diagnose_run(found, curve)))


@get("/")
async def newest(
    request: AnyRequest, store: NamedDependency[RunStore], limit: Annotated[int, Parameter(ge=1, le=100)] = 20
) -> list[TrainingRun]:
    """The newest runs of this key (for an administrator, of all keys), without curves."""
    key: Key = request.state.key
    return await store.newest(limit, None if key.allows("admin") else key.person)


routes = Router("/v1/runs", route_handlers=[run, live, newest], guards=[allow("train")], tags=["runs"])
