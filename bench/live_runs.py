"""What open pages of a training run cost the trainer: `make bench-live_runs`.

A run of ten thousand steps grows by a step a second while viewers follow its page. The processor time of the trainer's
pages is measured without viewers, with one and with fifty; the store is in memory and in the same process. Promise:
fifty viewers cost less than a tenth of a core.
"""

import argparse
import asyncio
import math
import os
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import uvicorn
from litestar import Litestar
from litestar.datastructures import State
from litestar.di import Provide

from bench.side_by_side import FOLDER, Ratio, free_port, running, show, verdict
from services.trainer.domain.auto_hyperparameters import BaseShape
from services.trainer.domain.curve.curve_point import CurvePoint
from services.trainer.domain.training_plan import plan_training
from services.trainer.domain.training_run import TrainingRun
from services.trainer.pages import PAGES
from services.trainer.pages.run_stream import DrawnRuns, run_stream
from services.trainer.service.live_runs import LiveRuns
from services.trainer.service.run_store import RunStore
from shared.events import Hyperparameters, TrainingMetrics, TrainingRequested, TrainingSpec
from shared.pages import pages_router
from shared.security import Keyring
from shared.store import MemoryStore

STEPS, VIEWERS, SECONDS = 10_000, 50, 20
_JOB = "ftjob-watched"
_KEY, _PORT = "BENCH_KEYS", "BENCH_PORT"


def main() -> int:
    asked = argparse.ArgumentParser(description="Measures what open pages of a run cost the trainer.")
    asked.add_argument("--seconds", type=int, default=SECONDS, help="how long each number of viewers is measured")
    seconds = asked.parse_args().seconds
    with tempfile.TemporaryDirectory() as folder:
        keys, port = Path(folder) / "keys.json", free_port()
        secret = Keyring(keys).create("viewer", ("admin",))
        FOLDER.mkdir(parents=True, exist_ok=True)
        variables = {_KEY: str(keys), _PORT: str(port)}
        with running([sys.executable, "-m", "bench.live_runs", "--serve"], port, variables=variables) as server:
            shares = {count: asyncio.run(_share(server.pid, port, secret, count, seconds)) for count in (0, 1, VIEWERS)}
    show(["viewers", "share of a core"], [[str(count), share] for count, share in shares.items()])
    ratio = Ratio(f"share of a core for {VIEWERS} viewers", shares[VIEWERS] - shares[0], 0.1, 0.05, most=True)
    return verdict("live_runs", [ratio], shares=shares)


async def _share(pid: int, port: int, secret: str, viewers: int, seconds: int) -> float:
    """The share of a core that the server uses while so many viewers follow the run."""
    headers = {"authorization": f"Bearer {secret}"}
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}", headers=headers, connector=connector) as session:
        following = [asyncio.create_task(_follow(session)) for _ in range(viewers)]
        # The first reading of the whole curve is not counted.
        await asyncio.sleep(5)
        before, started = _cpu_s(pid), time.monotonic()
        await asyncio.sleep(seconds)
        share = (_cpu_s(pid) - before) / (time.monotonic() - started)
        if broken := [task for task in following if task.done()]:
            raise RuntimeError(f"{len(broken)} streams have ended: {broken[0]}")
        for task in following:
            task.cancel()
        return share


async def _follow(session: aiohttp.ClientSession) -> None:
    async with session.get(f"/console/trainer/jobs/{_JOB}/stream", timeout=aiohttp.ClientTimeout(total=None)) as answer:
        answer.raise_for_status()
        async for _ in answer.content.iter_any():
            pass


def _cpu_s(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system


def serve() -> None:
    """The trainer's pages over a run that grows."""
    store = RunStore.of(MemoryStore("trainer"))
    given = {"store": store, "live_runs": LiveRuns(store), "drawn_runs": DrawnRuns()}

    @asynccontextmanager
    async def growing(_app: Litestar) -> AsyncGenerator[None]:
        await store.runs.create(_run())
        for step in range(1, STEPS // 2):
            await store.points.create(_point(step))
        growth = asyncio.create_task(_grow(store))
        yield
        growth.cancel()

    app = Litestar(
        [pages_router("/console/trainer", [run_stream], PAGES, scopes=["train"])],
        state=State({"keyring": Keyring(Path(os.environ[_KEY]))}),
        dependencies={name: Provide(_give(value), sync_to_thread=False) for name, value in given.items()},
        lifespan=[growing],
    )
    uvicorn.run(app, port=int(os.environ[_PORT]), log_level="warning")


def _give(value: object) -> Callable[[], Any]:
    return lambda: value


async def _grow(store: RunStore) -> None:
    for step in range(STEPS // 2, STEPS):
        await store.points.create(_point(step))
        await asyncio.sleep(1)


def _run() -> TrainingRun:
    spec = TrainingSpec(base_model="base", hyperparameters=Hyperparameters(n_epochs=10, batch_size=1))
    request = TrainingRequested(job_id=_JOB, training_file="file", spec=spec)
    plan = plan_training(_JOB, spec, "name", STEPS // 10, BaseShape(hidden_size=576, blocks=30))
    return TrainingRun(id=_JOB, request=request, status="running", plan=plan, attempt=1, started_at=int(time.time()))


def _point(step: int) -> CurvePoint:
    loss = 0.4 + 1.6 * math.exp(-6 * step / STEPS) + 0.05 * math.sin(step * 1.7)
    valid = loss + 0.1 if step % 50 == 0 else None
    metrics = TrainingMetrics(step=step, train_loss=loss, valid_loss=valid, learning_rate=1e-4, tokens_per_s=900.0)
    return CurvePoint(job_id=_JOB, attempt=1, metrics=metrics)


if __name__ == "__main__":
    if "--serve" in sys.argv:
        serve()
    else:
        sys.exit(main())
