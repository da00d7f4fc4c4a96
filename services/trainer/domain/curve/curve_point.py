"""One point of a run's curve."""

from collections.abc import Sequence
from typing import Self

from shared.events import TrainingMetrics, Value


class CurvePoint(Value):
    """The metrics of one step of one attempt. Stored apart from the run, whose document stays small."""

    job_id: str
    attempt: int
    metrics: TrainingMetrics
    at: float = 0.0
    """When it was stored, in Unix seconds; 0 if it is older than this field."""

    @property
    def id(self) -> str:
        return f"{self.job_id}/{self.attempt}/{self.metrics.step}"

    def merged(self, later: Self) -> Self:
        """The point with the figures that a later message about the same step adds."""
        added = later.metrics.model_dump(exclude_none=True)
        return self.model_copy(update={"metrics": self.metrics.model_copy(update=added)})


def curve_of(points: Sequence[CurvePoint]) -> list[TrainingMetrics]:
    """The metrics of each step, in order; for a repeated step, those of the last attempt."""
    by_step = {point.metrics.step: point.metrics for point in sorted(points, key=lambda point: point.attempt)}
    return [by_step[step] for step in sorted(by_step)]
