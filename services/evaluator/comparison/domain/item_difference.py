"""One item as each of several models answered it."""

from collections.abc import Callable, Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from services.evaluator.scoring.domain.answer import question
from services.evaluator.scoring.domain.metrics import main_metric

ItemFilter = Literal["all", "changed", "gained", "lost"]


class ItemDifference(BaseModel):
    """One item as each model answered it; `gained` and `lost` compare the models with the first one."""

    model_config = ConfigDict(frozen=True)

    task: str
    place: int
    question: str
    prompt: Any
    reference: str
    subject: str
    metric: str
    """The task's main metric; empty if the item has no score."""
    answers: dict[str, str]
    scores: dict[str, dict[str, float]]
    gained: tuple[str, ...]
    """Models that score higher than the first by the task's main metric."""
    lost: tuple[str, ...]
    """Models that score lower than the first."""

    @property
    def id(self) -> str:
        return f"{self.task}:{self.place}"

    def difference(self, model: str) -> float | None:
        """How much higher the model scores than the first one; None if one of them has no score."""
        first = next(iter(self.scores))
        own, other = self.scores[model].get(self.metric), self.scores[first].get(self.metric)
        return None if own is None or other is None else own - other

    def has_changed(self, model: str) -> bool:
        return model in self.gained or model in self.lost


def difference_of(task: str, place: int, rows: Mapping[str, Mapping[str, Any]]) -> ItemDifference:
    """The item from each model's row; the first model is the baseline."""
    first = next(iter(rows.values()))
    metric = main_metric(sorted(first["scores"])) or ""
    values = {name: row["scores"][metric] for name, row in rows.items() if metric in row["scores"]}
    baseline = first["scores"].get(metric)
    return ItemDifference(
        task=task,
        place=place,
        question=question(first),
        prompt=first["prompt"],
        reference=first["reference"],
        subject=first.get("subject", ""),
        metric=metric,
        answers={name: row["answer"] for name, row in rows.items()},
        scores={name: row["scores"] for name, row in rows.items()},
        gained=tuple(name for name, value in values.items() if baseline is not None and value > baseline),
        lost=tuple(name for name, value in values.items() if baseline is not None and value < baseline),
    )


_FILTERS: dict[ItemFilter, Callable[[ItemDifference, str | None], bool]] = {
    "all": lambda _item, _model: True,
    "changed": lambda item, model: item.has_changed(model) if model else bool(item.gained or item.lost),
    "gained": lambda item, model: model in item.gained if model else bool(item.gained),
    "lost": lambda item, model: model in item.lost if model else bool(item.lost),
}


def passes(item: ItemDifference, which: ItemFilter, model: str | None = None) -> bool:
    """Whether the item belongs to a filter: for one model, or without one for any of them."""
    return _FILTERS[which](item, model)
