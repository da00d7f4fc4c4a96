"""Estimates when a training that runs will end."""

from shared.events import Value

# Beyond a year the first steps were not typical.
_LONGEST_S = 365 * 24 * 3600


class AttemptStart(Value):
    """An attempt began to train after `step` steps, at `at` in Unix seconds."""

    step: int
    at: float


def estimated_end(began: AttemptStart | None, step: int, last_step: int, now: float) -> int | None:
    """In Unix seconds, by the mean pace of the attempt; None before its second step, or when it has no end in sight."""
    if began is None or step < began.step + 2:
        return None
    left_s = (now - began.at) / (step - began.step) * (last_step - step)
    return round(now + left_s) if left_s < _LONGEST_S else None
