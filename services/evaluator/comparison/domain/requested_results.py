"""The models of an evaluation on request, as the sides of a comparison."""

from collections.abc import Mapping, Sequence
from typing import Any

from services.evaluator.comparison.domain.side_by_side import ModelResults, Row
from shared.events import ModelScores


def requested_results(models: Sequence[ModelScores], samples: Sequence[Mapping[str, Any]]) -> list[ModelResults]:
    """One side a model; each sample has every model's answer and item scores by the model's name."""
    return [ModelResults(each.name, _rows(each.name, samples), each.scores, each.intervals) for each in models]


def _rows(name: str, samples: Sequence[Mapping[str, Any]]) -> dict[str, list[Row]]:
    rows: dict[str, list[Row]] = {}
    for sample in samples:
        row = {**sample, "answer": sample["answers"][name], "scores": sample["scores"][name]}
        rows.setdefault(sample["task"], []).append(row)
    return rows
