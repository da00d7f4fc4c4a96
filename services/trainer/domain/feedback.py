"""What the scores of checkpoints say to the run that goes on making them: which is best, and whether to stop."""

from collections.abc import Sequence

from shared.events import EvalDone, Hyperparameters, Value

DEFAULT_METRIC = "exact_match"


class Evaluated(Value):
    """A checkpoint's scores and those of its base model, by metric."""

    step: int
    scores: dict[str, float]
    base_scores: dict[str, float]

    @classmethod
    def of(cls, event: EvalDone) -> "Evaluated":
        scores, base = (
            {name: score.value for name, score in each.items()} for each in (event.scores, event.base_scores)
        )
        return cls(step=event.candidate.step, scores=scores, base_scores=base)


def best_step(evaluations: Sequence[Evaluated], metric: str | None) -> int | None:
    """The step with the highest score, the earliest of equals; None where nothing was scored by that metric."""
    scored = _scored(evaluations, metric or DEFAULT_METRIC)
    return max(scored, key=lambda at: at[1])[0] if scored else None


def stop_reason(evaluations: Sequence[Evaluated], asked: Hyperparameters) -> str | None:
    """Why a run should not go on, by what was asked for and in the order of steps; None while it should."""
    metric = asked.early_stopping_metric or DEFAULT_METRIC
    scored = _scored(evaluations, metric)
    return (
        (_fell(metric, scored, asked.early_stopping_drop) if scored else None)
        or _forgot(evaluations, asked.general_metric, asked.general_drop)
        or (_no_gain(metric, scored, asked.early_stopping_patience) if scored else None)
    )


def _fell(metric: str, scored: Sequence[tuple[int, float]], limit: float | None) -> str | None:
    best, (last_step, last) = max(scored, key=lambda at: at[1]), scored[-1]
    if limit is None or best[1] - last <= limit:
        return None
    return f"{metric} fell from {best[1]:.3f} at step {best[0]} to {last:.3f} at step {last_step}: more than {limit:g}"


def _forgot(evaluations: Sequence[Evaluated], metric: str | None, limit: float | None) -> str | None:
    """General ability is measured against the base model, which has all of it."""
    if metric is None or limit is None:
        return None
    for at in sorted(evaluations, key=lambda at: at.step, reverse=True):
        if metric in at.scores and metric in at.base_scores:
            base, mine = at.base_scores[metric], at.scores[metric]
            if base - mine <= limit:
                return None
            return f"{metric} is {mine:.3f} at step {at.step}, and {base:.3f} before training: more than {limit:g} lost"
    return None


def _no_gain(metric: str, scored: Sequence[tuple[int, float]], patience: int | None) -> str | None:
    best = max(scored, key=lambda at: at[1])
    since = sum(step > best[0] for step, _ in scored)
    if patience is None or since < patience:
        return None
    return f"{metric} did not rise above the {best[1]:.3f} of step {best[0]} in {since} evaluations"


def _scored(evaluations: Sequence[Evaluated], metric: str) -> list[tuple[int, float]]:
    ordered = sorted(evaluations, key=lambda at: at.step)
    return [(at.step, at.scores[metric]) for at in ordered if metric in at.scores]
