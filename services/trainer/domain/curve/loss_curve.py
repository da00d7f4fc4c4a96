"""Figures that describe a loss curve."""

from collections import deque
from collections.abc import Iterator, Sequence
from itertools import pairwise
from statistics import fmean, median

_WINDOW_SHARE = 0.1
_MIN_WINDOW = 3


def smooth(losses: Sequence[float]) -> list[float]:
    """Exponential mean over about a tenth of the steps, with Adam's bias correction (Kingma and Ba, 2015)."""
    decay = 1 - 2 / (window(len(losses)) + 1)
    smoothed: list[float] = []
    total = 0.0
    for step, loss in enumerate(losses, start=1):
        total = decay * total + (1 - decay) * loss
        smoothed.append(total / (1 - decay**step))
    return smoothed


def window(steps: int) -> int:
    """Steps in one window of a curve: a tenth, at least three."""
    return max(_MIN_WINDOW, round(steps * _WINDOW_SHARE))


def first_and_last(losses: Sequence[float]) -> tuple[float, float]:
    """The mean of the first window and of the last."""
    size = window(len(losses))
    return fmean(losses[:size]), fmean(losses[-size:])


def late_fall(losses: Sequence[float]) -> float:
    """The share by which the loss fell from the first to the second half of its last quarter; negative if it rose."""
    quarter = losses[-max(4, len(losses) // 4) :]
    half = len(quarter) // 2
    before, after = fmean(quarter[:half]), fmean(quarter[half:])
    return (before - after) / before if before > 0 else 0.0


def step_variation(losses: Sequence[float]) -> float:
    """The median change between two steps in the later half, as a share of the median loss there."""
    late = losses[len(losses) // 2 :]
    middle = median(late)
    changes = [abs(b - a) for a, b in pairwise(late)]
    return median(changes) / middle if middle > 0 and changes else 0.0


def highest_spike(losses: Sequence[float]) -> tuple[int, float, float] | None:
    """The highest upward outlier: its index, its loss, and the median of the window before it.

    An outlier lies above the whole window before it, and above its median by more than six median absolute deviations
    (Hampel, 1974) and by more than half of the median. None if there is none.
    """
    size = window(len(losses))
    found: tuple[int, float, float] | None = None
    for at in _window_records(losses, size):
        before = losses[at - size : at]
        middle = median(before)
        deviation = median(abs(loss - middle) for loss in before)
        above = losses[at] - middle
        if above > max(6 * deviation, middle / 2) and (found is None or above > found[1] - found[2]):
            found = at, losses[at], middle
    return found


def _window_records(losses: Sequence[float], size: int) -> Iterator[int]:
    """Indices of losses above the whole window before them; few, so that medians are needed for these alone."""
    highest: deque[int] = deque()
    for at, loss in enumerate(losses):
        if highest and highest[0] < at - size:
            highest.popleft()
        if at >= size and loss > losses[highest[0]]:
            yield at
        # Of the window only losses that no later one exceeds can become its maximum.
        while highest and losses[highest[-1]] <= loss:
            highest.pop()
        highest.append(at)
