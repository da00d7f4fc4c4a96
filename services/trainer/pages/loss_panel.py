"""The losses of a run as a picture, and the figures of its four small curves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from services.trainer.domain.curve.loss_curve import smooth
from services.trainer.domain.training_run import TrainingRun
from services.trainer.pages.reactions import flags_of
from shared.events import TrainingMetrics
from shared.pages.run_chart import Point, RunPanel, round_ticks, thinned

_SMALL_POINTS = 120
_MOST_READ = 16


@dataclass(frozen=True)
class LossWords:
    """The words of the picture, in the reader's language."""

    title: str
    description: str
    measured: str
    steps: str
    not_trained: str
    training: str
    validation: str
    smoothed: str
    flags: Mapping[str, str]
    """The name of each kind of flag."""


@dataclass(frozen=True)
class Losses:
    """The series of a curve: training raw and smoothed, validation, and the last step."""

    train: Sequence[Point]
    smoothed: Sequence[Point]
    valid: Sequence[Point]
    last_step: int

    @classmethod
    def of(cls, curve: Sequence[TrainingMetrics]) -> "Losses":
        """The curve cache gives the same list to all viewers until it reads the run again: each is read once here."""
        known, losses = _READ.pop(id(curve), (None, None))
        if known is not curve or losses is None:
            losses = cls._read(curve)
        _READ[id(curve)] = (curve, losses)
        if len(_READ) > _MOST_READ:
            del _READ[next(iter(_READ))]
        return losses

    @classmethod
    def _read(cls, curve: Sequence[TrainingMetrics]) -> "Losses":
        train = [(point.step, point.train_loss) for point in curve if point.train_loss is not None]
        valid = [(point.step, loss) for point in curve if (loss := _validation(point)) is not None]
        smoothed = [(step, loss) for (step, _), loss in zip(train, smooth([v for _, v in train]), strict=True)]
        return cls(train, smoothed, valid, curve[-1].step if curve else 0)


# The last curves with their losses, by the identity of the list; a held list keeps its identity.
_READ: dict[int, tuple[Sequence[TrainingMetrics], Losses]] = {}


def loss_panel(run: TrainingRun, losses: Losses, words: LossWords) -> Markup:
    """Training and validation loss over the planned steps, with a hairline at each checkpoint, and flags above."""
    total = run.plan.total_steps if run.plan else max(losses.last_step, 1)
    values = [value for _, value in (*losses.smoothed, *losses.valid)]
    low, high = min(values), max(values)
    flags = flags_of(run, losses.last_step)
    low, high = max(0.0, low - 0.1 * (high - low)), high + 0.05 * (high - low) or 1.0
    panel = RunPanel(total, low, high, top=56 if flags else 28, bottom=234 if flags else 206)
    panel.wash(losses.last_step, words.not_trained)
    panel.grid(round_ticks(panel.low, panel.high))
    for checkpoint in run.checkpoints:
        panel.hairline(checkpoint.step)
    for flag in flags:
        panel.flag(flag.step, flag.role, words.flags[flag.name])
    panel.line(thinned(losses.train), "train", 1, 'opacity=".4"')
    panel.line(thinned(losses.smoothed), "train")
    panel.line(thinned(losses.valid), "valid")
    panel.squares(thinned(losses.valid, 100), "valid")
    panel.note(words.measured)
    if losses.valid:
        panel.label(losses.valid[-1][1], "valid", words.validation, f"{losses.valid[-1][1]:.3f}")
    panel.label(losses.smoothed[-1][1], "train", words.training, f"{losses.smoothed[-1][1]:.3f}, {words.smoothed}")
    panel.axis([0, total, *(checkpoint.step for checkpoint in run.checkpoints)], run.best_step, unit=words.steps)
    return panel.svg(words.title, words.description, "losses")


@dataclass(frozen=True)
class SmallCurve:
    """One of the small curves: its last figure and the highest one stand in words above it."""

    values: Sequence[float]
    last: float
    highest: float


def small_curve(curve: Sequence[TrainingMetrics], name: str) -> SmallCurve | None:
    """A metric over the steps, None where it was not measured."""
    points: list[Point] = [(point.step, value) for point in curve if (value := getattr(point, name)) is not None]
    if len(points) < 2:
        return None
    values = [value for _, value in thinned(points, _SMALL_POINTS)]
    return SmallCurve(values, points[-1][1], max(value for _, value in points))


def _validation(point: TrainingMetrics) -> float | None:
    return point.full_valid_loss if point.full_valid_loss is not None else point.valid_loss
