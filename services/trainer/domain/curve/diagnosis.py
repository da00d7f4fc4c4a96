"""Diagnoses of a loss curve: the finding, its figures, and what to do."""

from collections.abc import Sequence
from typing import Literal

from services.trainer.domain.curve.loss_curve import first_and_last, highest_spike, late_fall, smooth, step_variation
from shared.events import TrainingMetrics, Value

Finding = Literal["converged", "not_converged", "overfitting", "too_low", "flat", "oscillating", "jumping"]

MIN_STEPS = 12
_LEARNED = 0.05
_STILL_FALLING = 0.06
# A loss under the first limit is reported only if validation does not confirm it, under the second always.
_LOW_NATS, _TOO_LOW_NATS = 0.03, 0.002
_CONFIRMED_TIMES, _CONFIRMED_NATS = 3, 0.02
_OVERFIT_SHARE, _OVERFIT_NATS = 0.03, 0.02
_MAX_VARIATION = 0.5
# Smaller spikes of a curve that has fallen far are noise.
_MIN_SPIKE_NATS = 0.1


class Diagnosis(Value):
    """One finding. `evidence` holds its figures, `advice` says what to do; losses are in nats per token."""

    finding: Finding
    evidence: str
    advice: str


def diagnose(curve: Sequence[TrainingMetrics]) -> tuple[Diagnosis, ...]:
    """All findings of a curve, the most urgent first; none before `MIN_STEPS` steps."""
    steps = [point.step for point in curve if point.train_loss is not None]
    losses = [point.train_loss for point in curve if point.train_loss is not None]
    if len(losses) < MIN_STEPS:
        return ()
    found = [_jumping(steps, losses), _oscillating(losses), _overfitting(curve), _too_low(curve, losses)]
    trend = _flat(losses) or _not_converged(losses)
    if trend is None and not any(found):
        trend = _converged(losses)
    return tuple(diagnosis for diagnosis in (*found, trend) if diagnosis is not None)


def _jumping(steps: Sequence[int], losses: Sequence[float]) -> Diagnosis | None:
    spike = highest_spike(losses)
    if spike is None or spike[1] - spike[2] < _MIN_SPIKE_NATS:
        return None
    at, loss, before = spike
    return Diagnosis(
        finding="jumping",
        evidence=f"the loss jumps from about {before:.2f} to {loss:.2f} at step {steps[at]}",
        advice="Check the rows of that step for errors. If they are fine, ask for half the learning_rate.",
    )


def _oscillating(losses: Sequence[float]) -> Diagnosis | None:
    (first, last), variation = first_and_last(losses), step_variation(losses)
    rose = last > first * (1 + _LEARNED)
    if not rose and (variation < _MAX_VARIATION or last < _LOW_NATS):
        return None
    varies = f"in the later half the loss changes by {variation:.0%} of itself from one step to the next"
    return Diagnosis(
        finding="oscillating",
        evidence=f"the loss ended at {last:.2f}, above its start of {first:.2f}" if rose else varies,
        advice="Ask for a third of the learning_rate, or for twice the batch_size.",
    )


def _overfitting(curve: Sequence[TrainingMetrics]) -> Diagnosis | None:
    scored = [(point.step, point.valid_loss) for point in curve if point.valid_loss is not None]
    if len(scored) < 2:
        return None
    (best_step, best), (_, last) = min(scored, key=lambda at: at[1]), scored[-1]
    smoothed = smooth([point.train_loss for point in curve if point.train_loss is not None])
    trained = dict(zip((point.step for point in curve if point.train_loss is not None), smoothed, strict=True))
    rises = last - best > max(_OVERFIT_SHARE * best, _OVERFIT_NATS)
    if not rises or best_step not in trained or smoothed[-1] >= trained[best_step]:
        return None
    return Diagnosis(
        finding="overfitting",
        evidence=f"the validation loss rose from {best:.2f} at step {best_step} to {last:.2f}, while the training loss "
        f"fell from {trained[best_step]:.2f} to {smoothed[-1]:.2f}",
        advice=f"Use the checkpoint of step {best_step} or the one nearest to it. For the next run ask for fewer "
        "n_epochs or add more varied rows.",
    )


def _too_low(curve: Sequence[TrainingMetrics], losses: Sequence[float]) -> Diagnosis | None:
    _, last = first_and_last(losses)
    valid = next((point.valid_loss for point in reversed(curve) if point.valid_loss is not None), None)
    confirmed = valid is not None and valid <= last * _CONFIRMED_TIMES + _CONFIRMED_NATS
    if last >= (_TOO_LOW_NATS if confirmed else _LOW_NATS):
        return None
    return Diagnosis(
        finding="too_low",
        evidence=f"the training loss ends at {last:.4f}: the model predicts every answer almost exactly",
        advice="Check whether the prompts contain the answers, or all answers are the same. If not, the model has "
        "memorized the rows: ask for fewer n_epochs or add more varied rows.",
    )


def _flat(losses: Sequence[float]) -> Diagnosis | None:
    first, last = first_and_last(losses)
    if first <= 0 or abs(first - last) / first >= _LEARNED:
        return None
    return Diagnosis(
        finding="flat",
        evidence=f"the loss began at {first:.2f} and ended at {last:.2f}: nothing was learned",
        advice="Ask for three to ten times the learning_rate, and check that the answers follow from the prompts.",
    )


def _not_converged(losses: Sequence[float]) -> Diagnosis | None:
    fall = late_fall(losses)
    first, last = first_and_last(losses)
    if fall < _STILL_FALLING or last >= first:
        return None
    return Diagnosis(
        finding="not_converged",
        evidence=f"the loss was still falling by {fall:.0%} within the last quarter, to {last:.2f}",
        advice="Ask for more n_epochs, or for a higher learning_rate.",
    )


def _converged(losses: Sequence[float]) -> Diagnosis:
    first, last = first_and_last(losses)
    return Diagnosis(
        finding="converged",
        evidence=f"the loss fell from {first:.2f} to {last:.2f} and has levelled off",
        advice="Nothing is wrong with this curve: choose among the checkpoints by their scores.",
    )
