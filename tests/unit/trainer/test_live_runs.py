"""Runs that people watch are read once for all of them."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from services.trainer.domain.curve.curve_point import CurvePoint
from services.trainer.domain.training_run import TrainingRun
from services.trainer.service import live_runs
from services.trainer.service.live_runs import LiveRuns
from services.trainer.service.run_store import RunStore
from shared.events import TrainingMetrics, TrainingRequested, TrainingSpec
from shared.store import Collection, MemoryStore


class CountingPoints:
    """Counts the searches, and the points that they found."""

    def __init__(self, points: Collection[CurvePoint]) -> None:
        self.points = points
        self.searches = self.found = 0

    async def find(self, **fields: Any) -> list[CurvePoint]:
        found = await self.points.find(**fields)
        self.searches += 1
        self.found += len(found)
        return found


@pytest.fixture(autouse=True)
def poll_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_runs, "POLL_S", 0.01)


async def a_run(store: RunStore, steps: int) -> None:
    spec = TrainingSpec(base_model="base")
    request = TrainingRequested(job_id="job", training_file="file", spec=spec)
    await store.runs.create(TrainingRun(id="job", request=request, status="running", attempt=1))
    for step in range(1, steps + 1):
        await add(store, step)


async def add(store: RunStore, step: int, attempt: int = 1, **metrics: float) -> None:
    made = TrainingMetrics(step=step, train_loss=1.0, **metrics)  # type: ignore[arg-type]
    await store.add_point(CurvePoint(job_id="job", attempt=attempt, metrics=made))


async def change(store: RunStore, **fields: Any) -> None:
    await store.runs.change("job", lambda run: (run.model_copy(update=fields), ()))


async def test_fifty_viewers_cost_one_reader_and_only_new_points_are_read() -> None:
    store = RunStore.of(MemoryStore("trainer"))
    await a_run(store, 200)
    counting = CountingPoints(store.points)
    live = LiveRuns(replace(store, points=counting))  # type: ignore[arg-type]

    async def watch() -> int:
        async with live.watch("job") as view:
            first = await view.after(0, 5)
            assert first is not None
            second = await view.after(first.version, 5)
            assert second is not None
            return len(second.curve)

    viewers = [asyncio.create_task(watch()) for _ in range(50)]
    await asyncio.sleep(0.1)
    await add(store, 201)
    assert await asyncio.gather(*viewers) == [201] * 50
    # All points once, and then the last ones again at each poll.
    assert 200 < counting.found <= 200 + 2 * counting.searches


async def test_a_validation_of_the_last_step_and_the_steps_of_a_new_attempt_are_seen() -> None:
    store = RunStore.of(MemoryStore("trainer"))
    await a_run(store, 3)
    async with LiveRuns(store).watch("job") as view:
        first = await view.after(0, 5)
        assert first is not None
        await add(store, 3, valid_loss=0.5)
        second = await view.after(first.version, 5)
        assert second is not None
        assert [point.valid_loss for point in second.curve] == [None, None, 0.5]
        await add(store, 2, attempt=2, valid_loss=0.7)
        await change(store, attempt=2)
        third = await view.after(second.version, 5)
        assert third is not None
        assert [point.valid_loss for point in third.curve] == [None, 0.7, 0.5]
        assert [point.step for point in third.log] == [1, 2, 3, 3, 2]


async def test_a_renewed_lease_is_no_news_and_the_reader_ends_with_its_last_viewer() -> None:
    store = RunStore.of(MemoryStore("trainer"))
    await a_run(store, 1)
    live = LiveRuns(store)
    async with live.watch("job") as view:
        first = await view.after(0, 5)
        assert first is not None
        await change(store, leased_until=99.0)
        assert await view.after(first.version, 0.1) is None
    assert not live._readers  # pyright: ignore[reportPrivateUsage]
