"""Explains an answer: the model's confidence, and the training rows that are most similar."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from services.evaluator.evaluation.domain.evaluation import Evaluation
from services.evaluator.evaluation.domain.training_row import NearestRow, NotExplained, question_and_answer
from services.evaluator.evaluation.ports import RowSearch
from services.evaluator.evaluation.service.evaluations import Evaluations


class SampleNotFound(Exception):
    """The evaluation has no such task, or the task has fewer questions."""


class Explanation(BaseModel):
    """One sample, with its confidence if known, and the training rows nearest to question and answer."""

    task: str
    place: int
    sample: dict[str, Any]
    nearest: tuple[NearestRow, ...]


@dataclass(frozen=True)
class Explanations:
    """Explains one answer at a time."""

    evaluations: Evaluations
    search: RowSearch
    _searching: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def explain(self, evaluation: Evaluation, task: str, place: int, count: int) -> Explanation:
        """The answer at a place, from 1, of a task; an empty name stands for the test split.

        Raises `SampleNotFound`, or `NotExplained` if the training rows cannot be searched.
        """
        samples = await self.evaluations.samples(evaluation, place, task)
        if samples is None:
            raise SampleNotFound(f"this evaluation has no task {task!r}")
        if not 0 < place <= len(samples):
            raise SampleNotFound(f"the task has {len(samples)} samples; there is no sample {place}")
        if evaluation.train is None:
            raise NotExplained("this checkpoint's event does not name its training rows")
        sample = samples[place - 1]
        async with self._searching:
            nearest = await asyncio.to_thread(self.search.nearest, evaluation.train, question_and_answer(sample), count)
        return Explanation(task=task, place=place, sample=sample, nearest=tuple(nearest))
