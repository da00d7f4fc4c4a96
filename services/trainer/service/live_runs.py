"""Runs that people watch: each is read once for all viewers."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from services.trainer.domain.training_run import TrainingRun
from services.trainer.service.run_store import RunStore
from shared import telemetry
from shared.events import TrainingMetrics

POLL_S = 2.0
_log = telemetry.logger(__name__)


@dataclass(frozen=True)
class WatchedRun:
    """A run and its curve at one moment; `version` rises with each change.

    `log` holds the metrics of each step as they arrived; a step is repeated when its validation is added.
    """

    version: int
    run: TrainingRun
    curve: Sequence[TrainingMetrics]
    log: Sequence[TrainingMetrics]


@dataclass
class _Reader:
    """Reads one run as long as somebody watches it: only new points, and all of them after a new attempt."""

    store: RunStore
    job_id: str
    viewers: int = 0
    current: WatchedRun | None = None
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    task: asyncio.Task[None] | None = None
    _steps: dict[int, tuple[int, TrainingMetrics]] = field(default_factory=dict[int, tuple[int, TrainingMetrics]])
    _log: list[TrainingMetrics] = field(default_factory=list[TrainingMetrics])

    async def read(self) -> None:
        while self.current is None or not self.current.run.ended:
            try:
                await self._update()
            except Exception as error:
                # While the database is away the page shows what it knew last.
                _log.warning("watched run not read", job_id=self.job_id, error=f"{type(error).__name__}: {error}")
            await asyncio.sleep(POLL_S)

    async def _update(self) -> None:
        # The run is read before its points: the curve of an ended run is complete.
        run = await self.store.runs.get(self.job_id)
        if run is None:
            return
        known = self.current
        is_new = await self._read_points(known is not None and known.run.attempt == run.attempt)
        if known is not None and not is_new and _shown(known.run) == _shown(run):
            return
        curve = [self._steps[step][1] for step in sorted(self._steps)] if is_new or known is None else known.curve
        async with self.changed:
            self.current = WatchedRun(known.version + 1 if known else 1, run, curve, self._log)
            self.changed.notify_all()

    async def _read_points(self, same_attempt: bool) -> bool:
        """Whether there are new ones. The last step is read again, since its validation comes later."""
        last_step = max(self._log[-1].step, 0) if same_attempt and self._log else 0
        before = len(self._log)
        found = await self.store.points.find(job_id=self.job_id, metrics__step__gte=last_step)
        for point in sorted(found, key=lambda point: (point.attempt, point.metrics.step)):
            attempt, metrics = self._steps.get(point.metrics.step, (0, None))
            if point.attempt >= attempt and point.metrics != metrics:
                self._steps[point.metrics.step] = (point.attempt, point.metrics)
                self._log.append(point.metrics)
        return len(self._log) > before


@dataclass(frozen=True)
class RunView:
    """One viewer's place at a reader."""

    reader: _Reader

    async def after(self, version: int, timeout_s: float) -> WatchedRun | None:
        """The run once it is newer than `version`, as it is then; None if nothing changed in time."""

        def is_newer() -> bool:
            return self.reader.current is not None and self.reader.current.version > version

        try:
            async with asyncio.timeout(timeout_s), self.reader.changed:
                await self.reader.changed.wait_for(is_newer)
        except TimeoutError:
            return None
        return self.reader.current


@dataclass
class LiveRuns:
    """One reader for each watched run, whatever the number of its viewers."""

    store: RunStore
    _readers: dict[str, _Reader] = field(default_factory=dict[str, _Reader])

    @asynccontextmanager
    async def watch(self, job_id: str) -> AsyncGenerator[RunView]:
        """A view of a run; its reader ends with the last view."""
        reader = self._readers.setdefault(job_id, _Reader(self.store, job_id))
        reader.viewers += 1
        if reader.task is None:
            reader.task = asyncio.create_task(reader.read())
        try:
            yield RunView(reader)
        finally:
            reader.viewers -= 1
            if not reader.viewers:
                del self._readers[job_id]
                reader.task.cancel()


def _shown(run: TrainingRun) -> TrainingRun:
    """The run without its lease, which is renewed every few seconds."""
    return run.model_copy(update={"leased_by": "", "leased_until": 0.0})
