"""A task's questions in other words, by the judge's model: made once, kept as a task, for people to read and change."""

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from pydantic import BaseModel

from services.evaluator.domain.suite import CannotBeScored
from services.evaluator.domain.tasks import Table, Task, read_task
from services.evaluator.service.judging import Reworded
from services.evaluator.service.suitebook import Suitebook, SuiteRefused
from shared.artifacts import ArtifactError

MOST_QUESTIONS = 1000
COLUMN = "paraphrases"
Rows = list[dict[str, Any]]


class NoSuchTask(Exception):
    """There is no such suite, or it has no such task."""


class Rewords(Protocol):
    """A model that rewords."""

    async def reword(self, questions: Sequence[str]) -> Reworded:
        """Each question in other words; raises `CannotBeScored` where the model is away or most replies are invalid."""
        ...


class Paraphrased(BaseModel):
    """A task whose questions are asked in other words, and what became of the questions that it was made of."""

    suite: str
    revision: int
    task: str
    questions: int
    left_out: tuple[int, ...]
    """The rows, from 1, of which the model gave no valid paraphrases: the task is without them."""
    invalid: int
    """Replies that held none; each was asked for again, up to twice."""


@dataclass(frozen=True)
class Rewording:
    """The use case of rewording. `rows` reads a table that is no file of the server's."""

    suitebook: Suitebook
    rewords: Rewords
    rows: Callable[[Table], Rows]

    async def paraphrase(self, suite: str, task: str, into: str, seed: int) -> Paraphrased:
        """Make the task `into` out of `task`, with the same prompt and metrics; made again, it is replaced.

        Raises `NoSuchTask`, `SuiteRefused` and `CannotBeScored`.
        """
        raw, checked = await self._task(suite, task, into)
        rows = await asyncio.to_thread(self._questions, checked)
        made = await self.rewords.reword([str(row[checked.columns.question]) for row in rows])
        told = list(zip(rows, made.paraphrases, strict=True))
        table = [{**row, COLUMN: list(texts)} for row, texts in told if texts is not None]
        options: dict[str, object] = {
            **{name: value for name, value in raw.items() if name not in ("name", "data")},
            "columns": {**checked.columns.model_dump(mode="json"), COLUMN: COLUMN},
            "disturb": "paraphrase",
            "seed": seed,
        }
        revised = await self.suitebook.put_table(suite, into, _lines(table), "jsonl", options)
        return Paraphrased(
            suite=suite,
            revision=revised.revision,
            task=into,
            questions=len(table),
            left_out=tuple(number for number, (_row, texts) in enumerate(told, start=1) if texts is None),
            invalid=made.invalid,
        )

    async def _task(self, suite: str, name: str, into: str) -> tuple[dict[str, Any], Task]:
        known = await self.suitebook.get(suite)
        raw = next((raw for raw in known.tasks if raw.get("name") == name), None) if known else None
        if known is None or raw is None:
            raise NoSuchTask(f"there is no task {name!r} in a suite {suite!r}")
        # Before the model is asked, which takes its time.
        if known.revision == 0:
            raise SuiteRefused(f"{suite} lies in a folder of the server's, which HTTP does not change")
        read_task({**raw, "name": into})
        if any(each.get("name") == into and each.get("disturb") != "paraphrase" for each in known.tasks):
            raise SuiteRefused(f"{into} is a task that is not of questions in other words, and is kept as it is")
        return raw, read_task(raw)

    def _questions(self, task: Task) -> Rows:
        try:
            rows = self.rows(task.data)
        except ArtifactError as error:
            raise CannotBeScored("artifact_damaged", str(error)) from None
        if not 0 < len(rows) <= MOST_QUESTIONS:
            raise SuiteRefused(f"{task.name} has {len(rows)} questions; 1 to {MOST_QUESTIONS} are reworded at once")
        for number, row in enumerate(rows, start=1):
            if row.get(task.columns.question) is None:
                raise CannotBeScored("missing_column", f"row {number} lacks {task.columns.question!r}")
        return rows


def _lines(rows: Sequence[dict[str, Any]]) -> bytes:
    # A date of a workbook is no JSON.
    return b"".join(json.dumps(row, default=str).encode() + b"\n" for row in rows)
