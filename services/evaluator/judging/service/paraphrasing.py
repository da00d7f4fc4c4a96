"""Makes a task of paraphrased questions, written once by the judge's model and kept, so that people can edit them."""

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from pydantic import BaseModel

from services.evaluator.judging.service.judge import Paraphrases
from services.evaluator.scoring.domain.item import CannotBeScored
from services.evaluator.suites.domain.suite_errors import SuiteRefused
from services.evaluator.suites.domain.task import Table, Task, read_task
from services.evaluator.suites.service.suite_catalog import SuiteCatalog
from shared.artifacts import ArtifactError
from shared.security import Key

MAX_QUESTIONS = 1000
COLUMN = "paraphrases"
Rows = list[dict[str, Any]]


class TaskNotFound(Exception):
    """The suite has no such task."""


class Paraphraser(Protocol):
    """A model that writes paraphrases."""

    async def paraphrase(self, questions: Sequence[str]) -> Paraphrases:
        """Paraphrases of each question; raises `CannotBeScored` if the model is away or most replies are invalid."""
        ...


class ParaphrasedTask(BaseModel):
    """The new task, and what became of the questions."""

    suite: str
    revision: int
    task: str
    questions: int
    left_out: tuple[int, ...]
    """Rows, from 1, without valid paraphrases; the new task lacks them."""
    invalid: int
    """Invalid replies; each request was repeated up to twice."""


@dataclass(frozen=True)
class Paraphrasing:
    """`read_rows` reads a table that is not a file of the server's folders."""

    suite_catalog: SuiteCatalog
    paraphraser: Paraphraser
    read_rows: Callable[[Table], Rows]

    async def paraphrase(self, suite: str, task: str, into: str, seed: int, author: Key) -> ParaphrasedTask:
        """Make the task `into` from `task`, with the same prompt and metrics; an earlier one is replaced.

        Raises `TaskNotFound`, `SuiteNotFound`, `SuiteNotOwned`, `SuiteRefused` and `CannotBeScored`.
        """
        raw, source = await self._source(suite, task, into, author)
        rows = await asyncio.to_thread(self._questions, source)
        made = await self.paraphraser.paraphrase([str(row[source.columns.question]) for row in rows])
        paired = list(zip(rows, made.paraphrases, strict=True))
        table = [{**row, COLUMN: list(texts)} for row, texts in paired if texts is not None]
        options: dict[str, object] = {
            **{name: value for name, value in raw.items() if name not in ("name", "data")},
            "columns": {**source.columns.model_dump(mode="json"), COLUMN: COLUMN},
            "disturb": "paraphrase",
            "seed": seed,
        }
        revised = await self.suite_catalog.put_table(suite, into, _to_jsonl(table), "jsonl", options, author)
        return ParaphrasedTask(
            suite=suite,
            revision=revised.revision,
            task=into,
            questions=len(table),
            left_out=tuple(number for number, (_row, texts) in enumerate(paired, start=1) if texts is None),
            invalid=made.invalid,
        )

    async def _source(self, suite: str, name: str, into: str, author: Key) -> tuple[dict[str, Any], Task]:
        known = await self.suite_catalog.get(suite, author)
        raw = next((raw for raw in known.tasks if raw.get("name") == name), None)
        if raw is None:
            raise TaskNotFound(f"there is no task {name!r} in a suite {suite!r}")
        # Check before the model is asked, because that takes long.
        if known.is_file:
            raise SuiteRefused(f"{suite} is a file in a folder of the server; it cannot be changed by HTTP")
        read_task({**raw, "name": into})
        if any(each.get("name") == into and each.get("disturb") != "paraphrase" for each in known.tasks):
            raise SuiteRefused(f"{into} is a task without paraphrases; choose another name in `into`")
        return raw, read_task(raw)

    def _questions(self, task: Task) -> Rows:
        try:
            rows = self.read_rows(task.data)
        except ArtifactError as error:
            raise CannotBeScored("artifact_damaged", str(error)) from None
        if not 0 < len(rows) <= MAX_QUESTIONS:
            raise SuiteRefused(f"{task.name} has {len(rows)} questions; 1 to {MAX_QUESTIONS} can be paraphrased")
        for number, row in enumerate(rows, start=1):
            if row.get(task.columns.question) is None:
                raise CannotBeScored("missing_column", f"row {number} lacks {task.columns.question!r}")
        return rows


def _to_jsonl(rows: Sequence[dict[str, Any]]) -> bytes:
    # A workbook's dates are not JSON.
    return b"".join(json.dumps(row, default=str).encode() + b"\n" for row in rows)
