"""Curves for people who watch: read once for all viewers of a run."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from services.trainer.service.run_store import RunStore
from shared.events import TrainingMetrics

FRESH_S = 2.0
_MOST_RUNS = 32


@dataclass
class CurveCache:
    """The curve of each run as it was read last; it is read again after `FRESH_S`, whatever the number of viewers."""

    store: RunStore
    now: Callable[[], float] = time.monotonic
    _curves: dict[str, tuple[float, list[TrainingMetrics]]] = field(
        default_factory=dict[str, tuple[float, list[TrainingMetrics]]]
    )

    async def curve(self, job_id: str) -> list[TrainingMetrics]:
        read_at, curve = self._curves.pop(job_id, (float("-inf"), []))
        if self.now() - read_at >= FRESH_S:
            read_at, curve = self.now(), await self.store.curve(job_id)
        # The run that was asked for last stands last; the first one leaves.
        self._curves[job_id] = (read_at, curve)
        if len(self._curves) > _MOST_RUNS:
            del self._curves[next(iter(self._curves))]
        return curve
