"""The losses of a curve, as series of (step, nats per token)."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.trainer.domain.curve.loss_curve import smooth
from shared.events import TrainingMetrics

Series = Sequence[tuple[int, float]]


@dataclass(frozen=True)
class Losses:
    """Training as measured and smoothed, validation, and the last step; 0 without one."""

    train: Series
    smoothed: Series
    valid: Series
    last_step: int

    @classmethod
    def of(cls, curve: Sequence[TrainingMetrics]) -> "Losses":
        train = [(point.step, point.train_loss) for point in curve if point.train_loss is not None]
        valid = [(point.step, loss) for point in curve if (loss := _validation(point)) is not None]
        smoothed = [(step, loss) for (step, _), loss in zip(train, smooth([v for _, v in train]), strict=True)]
        return cls(train, smoothed, valid, curve[-1].step if curve else 0)


def _validation(point: TrainingMetrics) -> float | None:
    return point.full_valid_loss if point.full_valid_loss is not None else point.valid_loss
