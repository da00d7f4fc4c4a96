"""Automatic early stopping by the validation split: a run ends once validation is perfect or no longer improves."""

import math
from collections.abc import Sequence

from shared.events import Hyperparameters, Value

MIN_VALIDATION_ROWS = 10
"""With fewer rows validation is too noisy to decide anything."""
# Improvements below both limits do not count: in nats per token, and as a share of the best loss.
_MIN_GAIN_NATS, _MIN_GAIN_SHARE = 0.01, 0.01
_PATIENCE = 3
_PERFECT_IN_A_ROW = 2
# The learning rate of a run that stops is still high; lowering it to zero over a few more steps removes its noise.
_COOLDOWN_SHARE = 0.15


class Validation(Value):
    """The mean loss in nats per token and the share of correct tokens after a step."""

    step: int
    loss: float
    accuracy: float


class EarlyStop(Value):
    """The decision after `step` to end the run at `last_step`, once the learning rate has been lowered to zero."""

    step: int
    last_step: int
    reason: str

    def rate_factor(self, step: int) -> float:
        """What to multiply the learning rate after `step` steps by: from 1 at the decision to 0 at the last step."""
        return min(1.0, (self.last_step - step) / (self.last_step - self.step))


def decide_auto_stop(asked: Hyperparameters, validation_rows: int, reasons: dict[str, str]) -> bool:
    """Whether a run may stop automatically; the reason is recorded if that was not asked for."""
    if asked.early_stopping is not None:
        return asked.early_stopping and validation_rows > 0
    if validation_rows < MIN_VALIDATION_ROWS:
        reasons["early_stopping"] = f"off: {validation_rows} validation rows, but at least {MIN_VALIDATION_ROWS} needed"
        return False
    reasons["early_stopping"] = (
        f"on: ends early once all {validation_rows} validation answers are right {_PERFECT_IN_A_ROW} times in a row, "
        f"or the validation loss has not improved in {_PATIENCE} validations"
    )
    return True


def validation_schedule(total_steps: int, steps_per_epoch: float) -> tuple[int, ...]:
    """Steps to validate after: every half epoch, and the last."""
    interval = max(1, math.ceil(steps_per_epoch / 2))
    return (*range(interval, total_steps, interval), total_steps)


def early_stop(validations: Sequence[Validation], total_steps: int) -> EarlyStop | None:
    """The first validation that ends the run, None if there is none yet; pure, so that a resumed run decides the same.

    None too if the cooldown would not end before `total_steps`.
    """
    for count in range(1, len(validations) + 1):
        if reason := _stop_reason(validations[:count]):
            step = validations[count - 1].step
            last_step = step + max(1, math.ceil(step * _COOLDOWN_SHARE))
            return EarlyStop(step=step, last_step=last_step, reason=reason) if last_step < total_steps else None
    return None


def _stop_reason(validations: Sequence[Validation]) -> str | None:
    last = validations[-_PERFECT_IN_A_ROW:]
    if len(last) == _PERFECT_IN_A_ROW and all(at.accuracy == 1 for at in last):
        steps = " and ".join(str(at.step) for at in last)
        return f"every validation answer was right after steps {steps}"
    best, best_step, since = math.inf, 0, 0
    for at in validations:
        if math.isinf(best) or best - at.loss > max(_MIN_GAIN_NATS, _MIN_GAIN_SHARE * best):
            best, best_step, since = at.loss, at.step, 0
        else:
            since += 1
    if since < _PATIENCE:
        return None
    return f"the validation loss did not improve on the {best:.3f} after step {best_step} in {since} validations"
