"""Curves for people who watch: read once for all viewers of a run."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

from services.trainer.domain.curve.losses import Losses
from services.trainer.domain.training_run import TrainingRun
from services.trainer.service.run_store import RunStore
from shared.events import TrainingMetrics

FRESH_S = 2.0
_MOST_RUNS = 32


@dataclass(frozen=True)
class Curve:
    """The points of a run as they were read, until `fresh_until` on the cache's clock."""

    points: list[TrainingMetrics]
    fresh_until: float

    @cached_property
    def losses(self) -> Losses:
        return Losses.of(self.points)


@dataclass
class CurveCache:
    """The curve of each run as it was read last, whatever the number of viewers.

    It is read again after `FRESH_S`; that of an ended run does not change any more.
    """

    store: RunStore
    now: Callable[[], float] = time.monotonic
    _curves: dict[str, Curve] = field(default_factory=dict[str, Curve])

    async def curve(self, run: TrainingRun) -> Curve:
        curve = self._curves.pop(run.id, None)
        if curve is None or self.now() >= curve.fresh_until:
            points = await self.store.curve(run.id)
            curve = Curve(points, float("inf") if run.ended else self.now() + FRESH_S)
        # The run that was asked for last stands last; the first one leaves.
        self._curves[run.id] = curve
        if len(self._curves) > _MOST_RUNS:
            del self._curves[next(iter(self._curves))]
        return curve
