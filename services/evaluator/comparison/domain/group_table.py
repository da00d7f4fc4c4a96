"""The groups of a fairness task, compared within each model."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.evaluator.comparison.domain.side_by_side import ModelResults, Row
from services.evaluator.scoring.domain.fairness import GroupDifference, by_question, group_differences


@dataclass(frozen=True)
class GroupTable:
    """Every two groups of one task by its main metric, as one model answered their questions."""

    model: str
    task: str
    metric: str
    differences: tuple[GroupDifference, ...]


def group_tables(side: ModelResults) -> list[GroupTable]:
    """One table for each task of a model whose rows ask the same question for several groups."""
    found: list[GroupTable] = []
    for task, rows in side.rows.items():
        asked = [row for row in rows if row.get("pair") and row["scores"]]
        if not asked:
            continue
        # The metrics of a task keep their order, and the first is its main metric.
        metric = next(iter(asked[0]["scores"]))
        values = [row["scores"].get(metric) for row in asked]
        groups = by_question(_texts(asked, "pair"), _texts(asked, "subject"), values)
        found.append(GroupTable(side.name, task, metric, group_differences(groups)))
    return found


def _texts(rows: Sequence[Row], name: str) -> list[str]:
    return [row[name] for row in rows]
