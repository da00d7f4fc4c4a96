"""The best score of a job's checkpoints, beside the base model's on the same questions."""

from collections.abc import Iterable
from dataclasses import dataclass

from services.gateway.fine_tuning.domain.checkpoint import Checkpoint
from shared.events import EvalDone


@dataclass(frozen=True)
class BestScore:
    """A figure with its 95 % interval; `base` is None where the base model was not asked."""

    metric: str
    value: float
    low: float
    high: float
    n: int
    step: int
    base: float | None


def best_score(checkpoints: Iterable[Checkpoint], wanted: str = "") -> BestScore | None:
    """The highest value of the metric that stands for the job."""
    scores = [_score(checkpoint.step, done, wanted) for checkpoint in checkpoints for done in checkpoint.evals.values()]
    found = [score for score in scores if score]
    return max(found, key=lambda score: (score.value, -score.step), default=None)


def leading_metric(names: Iterable[str], wanted: str = "") -> str | None:
    """The metric of the job's policy where it was measured, else `<suite>.score`, else the first name."""
    ordered = sorted(names)
    if wanted in ordered:
        return wanted
    suites = [name for name in ordered if name.endswith(".score") and name != "general.score"]
    return next(iter([*suites, *ordered]), None)


def _score(step: int, done: EvalDone, wanted: str) -> BestScore | None:
    metric = leading_metric(done.intervals, wanted)
    if metric is None or metric not in done.scores:
        return None
    score, interval, base = done.scores[metric], done.intervals[metric], done.base_scores.get(metric)
    return BestScore(metric, score.value, interval.low, interval.high, score.n, step, base.value if base else None)
