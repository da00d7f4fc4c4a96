"""Why a checkpoint answered as it did: how sure it was, and what it was trained on that is like it."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from services.evaluator.domain.nearness import Near, NotExplained, asked_and_said
from services.evaluator.ports import Evaluation, Nearest
from services.evaluator.service.evaluations import Evaluations


class NoSuchSample(Exception):
    """An evaluation has no such task, or the task fewer questions."""


class Explanation(BaseModel):
    """One sample, with its confidence where it is known, and the training rows nearest to question and answer."""

    task: str
    place: int
    sample: dict[str, Any]
    nearest: tuple[Near, ...]


@dataclass(frozen=True)
class Explaining:
    """The use case of explaining an answer."""

    evaluations: Evaluations
    nearest: Nearest
    _searching: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def explain(self, evaluation: Evaluation, task: str, place: int, count: int) -> Explanation:
        """The answer at a place, from 1, of a task or, without its name, of the test split.

        Raises `NoSuchSample`, or `NotExplained` where the training rows cannot be searched.
        """
        samples = await self.evaluations.samples(evaluation, place, task)
        if samples is None:
            raise NoSuchSample(f"that evaluation has no task {task!r}")
        if not 0 < place <= len(samples):
            raise NoSuchSample(f"there are {len(samples)} samples, and none at place {place}")
        if evaluation.train is None:
            raise NotExplained("what this checkpoint was trained on was not told")
        sample = samples[place - 1]
        async with self._searching:
            near = await asyncio.to_thread(self.nearest.nearest, evaluation.train, asked_and_said(sample), count)
        return Explanation(task=task, place=place, sample=sample, nearest=tuple(near))
