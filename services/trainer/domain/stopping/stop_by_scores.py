"""Early stopping by the evaluator's scores: which checkpoint is best, and whether a run should stop."""

from collections.abc import Sequence

from pydantic import Field

from shared.events import EvalDone, Hyperparameters, Value

DEFAULT_METRIC = "exact_match"
_PERFECT_IN_A_ROW = 2
_MIN_PERFECT_ITEMS = 10


class CheckpointScores(Value):
    """The scores of one checkpoint and those of its base model, by metric."""

    step: int
    scores: dict[str, float]
    base_scores: dict[str, float]
    items: dict[str, int] = Field(default_factory=dict)
    """Scored items, by metric."""

    @classmethod
    def of(cls, event: EvalDone) -> "CheckpointScores":
        scores, base = (
            {name: score.value for name, score in each.items()} for each in (event.scores, event.base_scores)
        )
        items = {name: score.n for name, score in event.scores.items()}
        return cls(step=event.candidate.step, scores=scores, base_scores=base, items=items)


def best_step(evaluations: Sequence[CheckpointScores], metric: str | None) -> int | None:
    """The step with the highest score, the earliest if several are equal; None if the metric was not measured."""
    scored = _scored(evaluations, metric or DEFAULT_METRIC)
    return max(scored, key=lambda at: at[1])[0] if scored else None


def stop_reason(evaluations: Sequence[CheckpointScores], asked: Hyperparameters) -> str | None:
    """Why a run should stop by the rules that its hyperparameters ask for; None if it should go on."""
    metric = asked.early_stopping_metric or DEFAULT_METRIC
    scored = _scored(evaluations, metric)
    return (
        (_score_fell(metric, scored, asked.early_stopping_drop) if scored else None)
        or _general_ability_lost(evaluations, asked.general_metric, asked.general_drop)
        or (_perfect(evaluations) if asked.early_stopping is not False else None)
        or (_no_improvement(metric, scored, asked.early_stopping_patience) if scored else None)
    )


def _perfect(evaluations: Sequence[CheckpointScores]) -> str | None:
    """Applies by default; a perfect score of few items says too little."""
    last = sorted(evaluations, key=lambda at: at.step)[-_PERFECT_IN_A_ROW:]
    items = min((at.items.get(DEFAULT_METRIC, 0) for at in last), default=0)
    perfect = all(at.scores.get(DEFAULT_METRIC) == 1 for at in last)
    if len(last) < _PERFECT_IN_A_ROW or not perfect or items < _MIN_PERFECT_ITEMS:
        return None
    return f"all {items} answers were right at steps {' and '.join(str(at.step) for at in last)}"


def _score_fell(metric: str, scored: Sequence[tuple[int, float]], limit: float | None) -> str | None:
    best, (last_step, last) = max(scored, key=lambda at: at[1]), scored[-1]
    if limit is None or best[1] - last <= limit:
        return None
    return f"{metric} fell from {best[1]:.3f} at step {best[0]} to {last:.3f} at step {last_step}: more than {limit:g}"


def _general_ability_lost(
    evaluations: Sequence[CheckpointScores], metric: str | None, limit: float | None
) -> str | None:
    """General abilities are compared with the base model's."""
    if metric is None or limit is None:
        return None
    for at in sorted(evaluations, key=lambda at: at.step, reverse=True):
        if metric in at.scores and metric in at.base_scores:
            base, mine = at.base_scores[metric], at.scores[metric]
            if base - mine <= limit:
                return None
            return f"{metric} is {mine:.3f} at step {at.step}, and {base:.3f} before training: more than {limit:g} lost"
    return None


def _no_improvement(metric: str, scored: Sequence[tuple[int, float]], patience: int | None) -> str | None:
    best = max(scored, key=lambda at: at[1])
    since = sum(step > best[0] for step, _ in scored)
    if patience is None or since < patience:
        return None
    return f"{metric} did not rise above the {best[1]:.3f} of step {best[0]} in {since} evaluations"


def _scored(evaluations: Sequence[CheckpointScores], metric: str) -> list[tuple[int, float]]:
    ordered = sorted(evaluations, key=lambda at: at.step)
    return [(at.step, at.scores[metric]) for at in ordered if metric in at.scores]
