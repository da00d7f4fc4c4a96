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


def best_score(checkpoints: Iterable[Checkpoint]) -> BestScore | None:
    """The highest value of the metric that stands for the job: a suite's score, else the first of the test split."""
    scores = [_score(checkpoint.step, done) for checkpoint in checkpoints for done in checkpoint.evals.values()]
    found = [score for score in scores if score]
    return max(found, key=lambda score: (score.value, -score.step), default=None)


def leading_metric(names: Iterable[str]) -> str | None:
    """`<suite>.score` where the checkpoint was asked a suite, else the first name."""
    ordered = sorted(names)
    suites = [name for name in ordered if name.endswith(".score") and name != "general.score"]
    return next(iter([*suites, *ordered]), None)


def _score(step: int, done: EvalDone) -> BestScore | None:
    metric = leading_metric(done.intervals)
    if metric is None or metric not in done.scores:
        return None
    score, interval, base = done.scores[metric], done.intervals[metric], done.base_scores.get(metric)
    return BestScore(metric, score.value, interval.low, interval.high, score.n, step, base.value if base else None)
