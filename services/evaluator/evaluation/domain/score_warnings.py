"""What scores cannot tell: answers that no metric could read, and sets of questions that are too small."""

from services.evaluator.evaluation.domain.unread_answers import unread_warnings
from services.evaluator.scoring.domain.metrics import main_metric
from shared.events import EvalDone, Score
from shared.small_samples import FEW, limits_of


def score_warnings(done: EvalDone) -> tuple[str, ...]:
    """All warnings about a checkpoint's scores."""
    return (*(each.words for each in unread_warnings(done)), *small_sample_warnings(done))


def small_sample_warnings(done: EvalDone) -> list[str]:
    """One warning for the split and for each task with few items, with the interval of its main metric."""
    by_task: dict[str, dict[str, Score]] = {}
    for name, score in done.scores.items():
        task, _, metric = name.rpartition(".")
        if score.n < FEW and metric not in ("score", "kept") and name != "contaminated":
            by_task.setdefault(task, {})[metric] = score
    return [_warning(done, task, scores) for task, scores in by_task.items()]


def _warning(done: EvalDone, task: str, scores: dict[str, Score]) -> str:
    metric = main_metric(list(scores))
    assert metric is not None, "a task with a warning has a score"
    interval = done.intervals.get(f"{task}.{metric}" if task else metric)
    between = f" lies between {interval.low:.2f} and {interval.high:.2f}" if interval else " is uncertain"
    place = task or f"{done.split} split"
    return f"{place}: {limits_of(scores[metric].n)}, and {metric} {scores[metric].value:.2f}{between}"
