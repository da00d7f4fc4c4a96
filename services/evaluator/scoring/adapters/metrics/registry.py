"""Metrics by name: Assay's own, and those of installed packages with the entry-point group `assay.metrics`."""

from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from services.evaluator.scoring.domain import intervals, metrics
from services.evaluator.scoring.domain.item import CannotBeScored
from services.evaluator.scoring.domain.metrics import Measured, Metric
from shared.events import Score

GROUP = "assay.metrics"
_HERE = __name__.rpartition(".")[0]
SHIPPED = {
    "precision": "classification:Precision",
    "recall": "classification:Recall",
    "f1": "classification:F1",
    "sensitivity": "classification:Recall",
    "specificity": "classification:Specificity",
    "roc_auc": "numbers:RocAuc",
    "mae": "numbers:Mae",
    "mse": "numbers:Mse",
    "rmse": "numbers:Rmse",
    "r2": "numbers:R2",
    "jaccard": "labels:Jaccard",
    "label_f1": "labels:LabelF1",
    "hamming_loss": "labels:Hamming",
    "ndcg": "ranking:Ndcg",
    "mrr": "ranking:Mrr",
    "map": "ranking:Map",
    "iou": "detection:Iou",
    "detection_map": "detection:DetectionMap",
    "similarity": "similarity:Similarity",
    "perplexity": "likelihood:Perplexity",
    "tokens_per_s": "speed:TokensPerS",
    "first_token_s": "speed:FirstTokenS",
    "memory_gib": "speed:MemoryGib",
    "refusal": "safety:Refusal",
    "fuzzy": "similarity:Fuzzy",
    "rouge_1": "generation:Rouge1",
    "rouge_2": "generation:Rouge2",
    "meteor": "generation:Meteor",
    "token_f1": "generation:TokenF1",
    "chrf": "generation:Chrf",
    "sharpe_ratio": "numbers:SharpeRatio",
}


class UnknownMetric(ValueError):
    """Neither Assay nor an installed package has a metric of this name."""


def known(names: Iterable[str]) -> dict[str, EntryPoint]:
    """The entry point of each metric, without importing it. Raises `UnknownMetric`."""
    places = {point.name: point for point in entry_points(group=GROUP)}
    places |= {name: EntryPoint(name, f"{_HERE}.{where}", GROUP) for name, where in SHIPPED.items()}
    wanted = [name for name in names if name not in metrics.PLAIN and name not in metrics.JUDGE_METRICS]
    if missing := [name for name in wanted if name not in places]:
        there = ", ".join(sorted({*places, *metrics.PLAIN, *metrics.JUDGE_METRICS}))
        raise UnknownMetric(f"unknown metric {', '.join(missing)}; known are {there}")
    return {name: places[name] for name in wanted}


def check(names: Iterable[str]) -> None:
    """Raise `CannotBeScored` for an unknown metric."""
    try:
        known(names)
    except UnknownMetric as error:
        raise CannotBeScored("unknown_metric", str(error)) from None


def load(names: Iterable[str]) -> dict[str, Metric]:
    """Each metric, ready to measure. Only these are imported, because some libraries take seconds to import."""
    wanted = list(names)
    places = known(wanted)
    return {name: _measure(places[name].load()) if name in places else metrics.PLAIN[name] for name in wanted}


def _measure(metric: Callable[[], Any]) -> Metric:
    made = metric()

    def measure(answers: Sequence[str], references: Sequence[str]) -> Measured:
        items = tuple(made.items(answers, references))

        def figure(drawn: Sequence[int]) -> float:
            return made.figure([answers[at] for at in drawn], [references[at] for at in drawn])

        # A metric of another package may not say which answers it can read.
        readable = getattr(made, "readable", lambda _answer: True)
        unreadable = sum(not readable(answer) for answer in answers)
        if made.averaged:
            score = Score(value=sum(items) / len(items), n=len(items))
            return Measured(items, score, intervals.mean_interval(items), unreadable)
        score = Score(value=figure(range(len(items))), n=len(items))
        return Measured(items, score, intervals.statistic_interval(figure, len(items)), unreadable)

    return measure
