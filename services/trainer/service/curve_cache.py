"""Curves for people who watch: read once for all viewers of a run."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from services.trainer.domain.training_run import TrainingRun
from services.trainer.service.run_store import RunStore
from shared.events import TrainingMetrics

FRESH_S = 2.0
_MOST_RUNS = 32


@dataclass
class CurveCache:
    """The curve of each run as it was read last, whatever the number of viewers.

    It is read again after `FRESH_S`; that of an ended run does not change any more.
    """

    store: RunStore
    now: Callable[[], float] = time.monotonic
    _curves: dict[str, tuple[float, list[TrainingMetrics]]] = field(
        default_factory=dict[str, tuple[float, list[TrainingMetrics]]]
    )

    async def curve(self, run: TrainingRun) -> list[TrainingMetrics]:
        fresh_until, curve = self._curves.pop(run.id, (float("-inf"), []))
        if self.now() >= fresh_until:
            curve = await self.store.curve(run.id)
            fresh_until = float("inf") if run.ended else self.now() + FRESH_S
        # The run that was asked for last stands last; the first one leaves.
        self._curves[run.id] = (fresh_until, curve)
        if len(self._curves) > _MOST_RUNS:
            del self._curves[next(iter(self._curves))]
        return curve
