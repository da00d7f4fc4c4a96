"""A run's curve read for its user: what it shows, by which figures, and what to do."""

from collections.abc import Sequence
from typing import Literal

from services.trainer.domain.curve import ends, highest_jump, late_fall, smooth, swing
from shared.events import TrainingMetrics, Value

Finding = Literal["converged", "not_converged", "overfitting", "too_low", "flat", "oscillating", "jumping"]

MIN_STEPS = 12
_LEARNED = 0.05
_STILL_FALLING = 0.06
# Below the first only where validation does not bear it out, below the second in any case.
_LOW_NATS, _TOO_LOW_NATS = 0.03, 0.002
_BORNE_OUT_TIMES, _BORNE_OUT_NATS = 3, 0.02
_OVERFIT_SHARE, _OVERFIT_NATS = 0.03, 0.02
_RESTLESS = 0.5
# A jump that is not above where the run began, in nats, is noise of a curve that has come far down.
_JUMP_NATS = 0.1


class Diagnosis(Value):
    """One finding. `evidence` holds its figures, `advice` what to do; losses are in nats a token."""

    finding: Finding
    evidence: str
    advice: str


def diagnose(curve: Sequence[TrainingMetrics]) -> tuple[Diagnosis, ...]:
    """Every finding of a curve, the most urgent first; nothing before `MIN_STEPS` steps."""
    steps = [point.step for point in curve if point.train_loss is not None]
    losses = [point.train_loss for point in curve if point.train_loss is not None]
    if len(losses) < MIN_STEPS:
        return ()
    found = [_jumping(steps, losses), _oscillating(losses), _overfitting(curve), _too_low(curve, losses)]
    course = _flat(losses) or _not_converged(losses)
    if course is None and not any(found):
        course = _converged(losses)
    return tuple(diagnosis for diagnosis in (*found, course) if diagnosis is not None)


def _jumping(steps: Sequence[int], losses: Sequence[float]) -> Diagnosis | None:
    jump = highest_jump(losses)
    if jump is None or jump[1] - jump[2] < _JUMP_NATS:
        return None
    at, loss, before = jump
    return Diagnosis(
        finding="jumping",
        evidence=f"the loss jumps from about {before:.2f} to {loss:.2f} at step {steps[at]}",
        advice="Look at the rows of that step: odd ones jump out so. If there is nothing odd, ask for half the "
        "learning_rate.",
    )


def _oscillating(losses: Sequence[float]) -> Diagnosis | None:
    (first, last), restless = ends(losses), swing(losses)
    rose = last > first * (1 + _LEARNED)
    if not rose and (restless < _RESTLESS or last < _LOW_NATS):
        return None
    swings = f"in the later half the loss changes by {restless:.0%} of itself from one step to the next"
    return Diagnosis(
        finding="oscillating",
        evidence=f"the loss ended at {last:.2f}, above the {first:.2f} where it began" if rose else swings,
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
        advice=f"Take the checkpoint of step {best_step} or the one nearest to it. For the next run ask for fewer "
        "n_epochs or bring more different rows.",
    )


def _too_low(curve: Sequence[TrainingMetrics], losses: Sequence[float]) -> Diagnosis | None:
    _, last = ends(losses)
    valid = next((point.valid_loss for point in reversed(curve) if point.valid_loss is not None), None)
    borne_out = valid is not None and valid <= last * _BORNE_OUT_TIMES + _BORNE_OUT_NATS
    if last >= (_TOO_LOW_NATS if borne_out else _LOW_NATS):
        return None
    return Diagnosis(
        finding="too_low",
        evidence=f"the training loss ends at {last:.4f}: every answer is foreseen almost to the letter",
        advice="Look whether the answers stand in the prompts or all say the same; if not, the rows were learned by "
        "heart: ask for fewer n_epochs or bring more different rows.",
    )


def _flat(losses: Sequence[float]) -> Diagnosis | None:
    first, last = ends(losses)
    if first <= 0 or abs(first - last) / first >= _LEARNED:
        return None
    return Diagnosis(
        finding="flat",
        evidence=f"the loss began at {first:.2f} and ended at {last:.2f}: nothing was learned",
        advice="Ask for three to ten times the learning_rate, and look whether the answers follow from the prompts.",
    )


def _not_converged(losses: Sequence[float]) -> Diagnosis | None:
    fall = late_fall(losses)
    first, last = ends(losses)
    if fall < _STILL_FALLING or last >= first:
        return None
    return Diagnosis(
        finding="not_converged",
        evidence=f"the loss still fell by {fall:.0%} within the last quarter, to {last:.2f}",
        advice="Ask for more n_epochs, or for a higher learning_rate.",
    )


def _converged(losses: Sequence[float]) -> Diagnosis:
    first, last = ends(losses)
    return Diagnosis(
        finding="converged",
        evidence=f"the loss fell from {first:.2f} to {last:.2f} and has settled there",
        advice="Nothing is wrong with this curve: choose among the checkpoints by their scores.",
    )
