"""The losses of a run as a picture, and the figures of its four small curves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from services.trainer.domain.curve.losses import Losses
from services.trainer.domain.training_run import TrainingRun
from services.trainer.pages.reactions import flags_of
from shared.events import TrainingMetrics
from shared.pages.run_panel import Point, RunPanel, round_ticks, thinned

_SMALL_POINTS = 120


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
