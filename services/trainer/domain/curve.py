"""Figures of a loss curve that the eye would read off it."""

from collections.abc import Sequence
from itertools import pairwise
from statistics import fmean, median

_SPAN_SHARE = 0.1
_MIN_SPAN = 3


def smooth(losses: Sequence[float]) -> list[float]:
    """An exponential mean over about a tenth of the steps, its start corrected as Adam does (Kingma and Ba, 2015)."""
    kept = 1 - 2 / (span(len(losses)) + 1)
    smoothed: list[float] = []
    total = 0.0
    for step, loss in enumerate(losses, start=1):
        total = kept * total + (1 - kept) * loss
        smoothed.append(total / (1 - kept**step))
    return smoothed


def span(steps: int) -> int:
    """How many steps make one stretch of a curve: a tenth, and no fewer than three."""
    return max(_MIN_SPAN, round(steps * _SPAN_SHARE))


def ends(losses: Sequence[float]) -> tuple[float, float]:
    """The mean of the first stretch and of the last."""
    stretch = span(len(losses))
    return fmean(losses[:stretch]), fmean(losses[-stretch:])


def late_fall(losses: Sequence[float]) -> float:
    """By what share the last quarter fell, from its first half to its second; negative where it rose."""
    quarter = losses[-max(4, len(losses) // 4) :]
    half = len(quarter) // 2
    before, after = fmean(quarter[:half]), fmean(quarter[half:])
    return (before - after) / before if before > 0 else 0.0


def swing(losses: Sequence[float]) -> float:
    """The median change from one step to the next over the later half, as a share of its median loss."""
    late = losses[len(losses) // 2 :]
    middle = median(late)
    changes = [abs(b - a) for a, b in pairwise(late)]
    return median(changes) / middle if middle > 0 and changes else 0.0


def highest_jump(losses: Sequence[float]) -> tuple[int, float, float] | None:
    """Where the curve leaves its course upwards the most: index, the loss there and the median of the stretch before.

    None where no loss lies above all of that stretch by more than six times its median deviation (as outliers are told
    by Hampel, 1974) and by half of its median.
    """
    stretch = span(len(losses))
    found: tuple[int, float, float] | None = None
    for at in range(stretch, len(losses)):
        before = losses[at - stretch : at]
        middle = median(before)
        usual = median(abs(loss - middle) for loss in before)
        above = losses[at] - middle
        clear = losses[at] > max(before) and above > max(6 * usual, middle / 2)
        if clear and (found is None or above > found[1] - found[2]):
            found = at, losses[at], middle
    return found
