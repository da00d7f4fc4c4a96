"""Diagnoses of a loss curve: the finding, its figures, and what to do."""

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from services.trainer.domain.curve.loss_curve import first_and_last, highest_spike, late_fall, smooth, step_variation
from services.trainer.domain.training_run import TrainingRun
from shared.events import TrainingMetrics, Value
from shared.percent import percent

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
    """One finding. `evidence` holds its figures, `advice` says what to do; losses are in nats per token.

    `step` is where it shows, if that is one step; `figures` are those of the evidence, by name.
    """

    finding: Finding
    evidence: str
    advice: str
    step: int | None = None
    figures: dict[str, float] = Field(default_factory=dict)


def diagnose_run(run: TrainingRun, curve: Sequence[TrainingMetrics]) -> tuple[Diagnosis, ...]:
    """The findings of a run's curve and of how the run ended."""
    diverged = run.error is not None and run.error.code == "loss_diverged"
    return diagnose(curve, diverged=diverged, whole=run.status == "succeeded" and run.stop_reason is None)


def diagnose(curve: Sequence[TrainingMetrics], *, diverged: bool = False, whole: bool = True) -> tuple[Diagnosis, ...]:
    """All findings of a curve, the most urgent first; none before `MIN_STEPS` steps. No advice contradicts another.

    `diverged`: the run failed because its loss was not a number any more, which the curve itself does not show.
    `whole`: the run trained all planned steps. Only then does a loss that still falls mean that it needs more.
    """
    steps = [point.step for point in curve if point.train_loss is not None]
    losses = [point.train_loss for point in curve if point.train_loss is not None]
    if len(losses) < MIN_STEPS:
        return ()
    oscillating = _oscillating(losses)
    unsteady = [_jumping(steps, losses, rate_is_advised=oscillating is not None or diverged), oscillating]
    learned_too_much = [_overfitting(curve), _too_low(curve, losses)]
    found = [one for one in (*unsteady, *learned_too_much) if one is not None]
    if any(learned_too_much):
        # They ask for fewer epochs, a loss that still falls or does not fall would ask for more.
        return tuple(found)
    steady = not any(unsteady) and not diverged
    if flat := _flat(losses, steady=steady):
        return (*found, flat)
    if falling := _not_converged(losses, steady=steady):
        return (*found, falling) if whole else tuple(found)
    return tuple(found) or (_converged(losses),)


def _jumping(steps: Sequence[int], losses: Sequence[float], *, rate_is_advised: bool) -> Diagnosis | None:
    spike = highest_spike(losses)
    if spike is None or spike[1] - spike[2] < _MIN_SPIKE_NATS:
        return None
    at, loss, before = spike
    return Diagnosis(
        finding="jumping",
        evidence=f"From about {before:.2f} to {loss:.2f}.",
        advice="Check the rows of that step for errors."
        + ("" if rate_is_advised else " If they are fine, ask for half the learning rate."),
        step=steps[at],
        figures={"before": before, "loss": loss},
    )


def _oscillating(losses: Sequence[float]) -> Diagnosis | None:
    (first, last), variation = first_and_last(losses), step_variation(losses)
    rose = last > first * (1 + _LEARNED)
    if not rose and (variation < _MAX_VARIATION or last < _LOW_NATS):
        return None
    varies = f"In the later half it changes by {percent(variation)} of itself from one step to the next."
    return Diagnosis(
        finding="oscillating",
        evidence=f"It ended at {last:.2f}, above its start of {first:.2f}." if rose else varies,
        advice="Ask for a third of the learning rate, or for twice the batch size.",
        figures={"first": first, "last": last} if rose else {"variation": variation},
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
        evidence=f"The validation loss rose from {best:.2f} at step {best_step} to {last:.2f}, while the training loss "
        f"fell from {trained[best_step]:.2f} to {smoothed[-1]:.2f}.",
        advice=f"Use the checkpoint of step {best_step} or the one nearest to it. For the next run ask for fewer "
        "epochs or add more varied rows.",
        step=best_step,
        figures={"best": best, "last": last, "train_before": trained[best_step], "train_last": smoothed[-1]},
    )


def _too_low(curve: Sequence[TrainingMetrics], losses: Sequence[float]) -> Diagnosis | None:
    _, last = first_and_last(losses)
    valid = next((point.valid_loss for point in reversed(curve) if point.valid_loss is not None), None)
    confirmed = valid is not None and valid <= last * _CONFIRMED_TIMES + _CONFIRMED_NATS
    if last >= (_TOO_LOW_NATS if confirmed else _LOW_NATS):
        return None
    return Diagnosis(
        finding="too_low",
        evidence=f"The training loss ends at {last:.4f}: the model predicts every answer almost exactly.",
        advice="Check whether the prompts contain the answers, or all answers are the same. If not, the model has "
        "memorized the rows: ask for fewer epochs or add more varied rows.",
        figures={"last": last},
    )


def _flat(losses: Sequence[float], *, steady: bool) -> Diagnosis | None:
    first, last = first_and_last(losses)
    if first <= 0 or abs(first - last) / first >= _LEARNED:
        return None
    return Diagnosis(
        finding="flat",
        evidence=f"It began at {first:.2f} and ended at {last:.2f}: nothing was learned.",
        advice="Ask for three to ten times the learning rate, and check that the answers follow from the prompts."
        if steady
        else "Check that the answers follow from the prompts.",
        figures={"first": first, "last": last},
    )


def _not_converged(losses: Sequence[float], *, steady: bool) -> Diagnosis | None:
    fall = late_fall(losses)
    first, last = first_and_last(losses)
    if fall < _STILL_FALLING or last >= first:
        return None
    return Diagnosis(
        finding="not_converged",
        evidence=f"The loss was still falling by {percent(fall)} within the last quarter, to {last:.2f}.",
        advice="Ask for more epochs, or for a higher learning rate." if steady else "Ask for more epochs.",
        figures={"fall": fall, "last": last},
    )


def _converged(losses: Sequence[float]) -> Diagnosis:
    first, last = first_and_last(losses)
    return Diagnosis(
        finding="converged",
        evidence=f"The loss fell from {first:.2f} to {last:.2f} and has levelled off.",
        advice="Nothing is wrong with this curve: choose among the checkpoints by their scores.",
        figures={"first": first, "last": last},
    )
