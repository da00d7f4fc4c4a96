"""Any checkpoints side by side, with the base model and production where asked for."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from services.evaluator.domain.comparing import Change, Models, Row, Table
from services.evaluator.domain.results import read_lines
from services.evaluator.ports import Evaluation, EvaluationStore, Files
from shared.events import Score

Mine = Callable[[Evaluation], bool]
Which = Literal["all", "changed", "gained", "lost"]
MOST_MODELS = 12
_Side = tuple[str, dict[str, list[Row]], Mapping[str, Score]]


class NoSuchCheckpoint(Exception):
    """What is to be compared was never evaluated."""


class NotComparable(Exception):
    """Too few or too many models, or one that could not be scored."""


@dataclass(frozen=True)
class Chosen:
    """What is to be compared: checkpoints `of`, each `<job>/<step>`, of those that are `mine`, and what beside them."""

    of: Sequence[str]
    base: bool
    production: bool
    mine: Mine


@dataclass(frozen=True)
class Comparisons:
    """The use case of comparing. `exports` make a file out of a table and its items, by format."""

    store: EvaluationStore
    files: Files
    exports: Mapping[str, Callable[[Table, Sequence[Change]], bytes]]

    async def table(self, chosen: Chosen) -> Table:
        """Their table; raises `NoSuchCheckpoint` or `NotComparable`."""
        models, figures = await self._models(chosen)
        return models.table(figures)

    async def items(self, chosen: Chosen, task: str | None, which: Which) -> list[Change]:
        """The items of one task, None for all: every one, or where some model does otherwise than the first."""
        models, _figures = await self._models(chosen)
        kept = {
            "all": lambda _item: True,
            "changed": lambda item: bool(item.gained or item.lost),
            "gained": lambda item: bool(item.gained),
            "lost": lambda item: bool(item.lost),
        }[which]
        return [item for item in models.items() if task in (None, item.task) and kept(item)]

    async def export(self, chosen: Chosen, format: str) -> bytes:
        """Table and items as a file of that format."""
        models, figures = await self._models(chosen)
        return await asyncio.to_thread(self.exports[format], models.table(figures), models.items())

    async def _models(self, chosen: Chosen) -> tuple[Models, list[Mapping[str, Score]]]:
        sides: list[_Side] = []
        for name in dict.fromkeys(chosen.of):
            evaluation = await self.store.get(name)
            # What is another key's is as good as not there.
            if evaluation is None or not chosen.mine(evaluation):
                raise NoSuchCheckpoint(f"there is no evaluation of {name!r}; a checkpoint is named <job>/<step>")
            if evaluation.done.error is not None:
                raise NotComparable(f"{name} could not be scored: {evaluation.done.error.message}")
            beside = (chosen.base and not sides, chosen.production and not sides)
            sides += await asyncio.to_thread(self._sides, evaluation, *beside)
        if not 2 <= len(sides) <= MOST_MODELS:
            raise NotComparable(f"2 to {MOST_MODELS} models can be compared, not {len(sides)}")
        tasks = sorted({task for _name, own, _figures in sides for task in own})
        asked = {task: [own.get(task, []) for _name, own, _figures in sides] for task in tasks}
        return Models([name for name, _own, _figures in sides], asked), [figures for _name, _own, figures in sides]

    def _sides(self, evaluation: Evaluation, base: bool, production: bool) -> list[_Side]:
        done = evaluation.done
        own = {task: read_lines(self.files.read(samples)) for task, samples in _samples(evaluation).items()}
        sides: list[_Side] = []
        if base:
            sides.append(("base", _as(own, "base"), done.base_scores))
        if production and done.production:
            sides.append(("production", _as(own, "production"), done.production_scores))
        return [*sides, (evaluation.id, dict(own), done.scores)]


def _samples(evaluation: Evaluation) -> dict[str, Any]:
    return {"": evaluation.done.samples, **evaluation.done.task_samples}


def _as(tasks: Mapping[str, Sequence[Row]], who: str) -> dict[str, list[Row]]:
    """The rows as another model answered them; nothing for tasks that it was not asked."""
    return {
        task: [{**row, "answer": row[f"{who}_answer"], "scores": row[f"{who}_scores"]} for row in rows]
        for task, rows in tasks.items()
        if all(f"{who}_answer" in row for row in rows)
    }
