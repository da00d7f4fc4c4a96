"""Metrics by name: those that Assay ships, and those of installed packages in the entry-point group `assay.metrics`."""

from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from services.evaluator.domain import metrics, statistics
from services.evaluator.domain.metrics import Measured, Metric
from shared.events import Score

GROUP = "assay.metrics"
_HERE = __name__.rpartition(".")[0]
SHIPPED = {
    "accuracy": "classification:Accuracy",
    "precision": "classification:Precision",
    "recall": "classification:Recall",
    "f1": "classification:F1",
    "rouge_1": "generation:Rouge1",
    "rouge_2": "generation:Rouge2",
    "meteor": "generation:Meteor",
}


class UnknownMetric(ValueError):
    """A metric is named that neither Assay nor an installed package has."""


def known(names: Iterable[str]) -> dict[str, EntryPoint]:
    """Where each lies; imports nothing. Raises `UnknownMetric`."""
    places = {point.name: point for point in entry_points(group=GROUP)}
    places |= {name: EntryPoint(name, f"{_HERE}.{where}", GROUP) for name, where in SHIPPED.items()}
    wanted = [name for name in names if name not in metrics.METRICS]
    if missing := [name for name in wanted if name not in places]:
        raise UnknownMetric(f"unknown metric {', '.join(missing)}; known are {', '.join(sorted(places))}")
    return {name: places[name] for name in wanted}


def load(names: Iterable[str]) -> dict[str, Metric]:
    """Each metric, ready to measure. The libraries behind them take seconds to import, so only those named are."""
    return {name: _measure(point.load()) for name, point in known(names).items()}


def _measure(metric: Callable[[], Any]) -> Metric:
    made = metric()

    def measure(answers: Sequence[str], references: Sequence[str]) -> Measured:
        items = tuple(made.item(a, r) for a, r in zip(answers, references, strict=True))

        def figure(drawn: Sequence[int]) -> float:
            return made.figure([answers[at] for at in drawn], [references[at] for at in drawn])

        score = Score(value=figure(range(len(items))), n=len(items))
        averaged = getattr(made, "averaged", False)
        interval = statistics.mean_interval(items) if averaged else statistics.statistic_interval(figure, len(items))
        return Measured(items, score, interval)

    return measure
