"""Asks a judge about every answer: replies that are no judgement are counted and asked again, silence ends the task."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from services.evaluator.domain import judging
from services.evaluator.domain.metrics import Measured, mean
from services.evaluator.domain.results import Answer
from services.evaluator.domain.suite import CannotBeScored, Item
from services.evaluator.ports import AdapterGone, Engine, EngineUnavailable

TRIES = 3
PAUSE_S = 1.0
MOST_INVALID = 0.1
ROOM_TOKENS = 200
REWORDING_TOKENS = 1000
T = TypeVar("T")


@dataclass(frozen=True)
class Judged:
    """A metric by the judge; `invalid` counts the replies that were no judgement, asked again or not."""

    measured: Measured
    invalid: int


@dataclass(frozen=True)
class Reworded:
    """Each question's paraphrases, None where no valid ones came; `invalid` counts the replies that held none."""

    paraphrases: tuple[tuple[str, ...] | None, ...]
    invalid: int


@dataclass
class Judging:
    """One judge: a model behind OpenAI's API. Raises `CannotBeScored` when it does not answer or does not judge."""

    engine: Engine
    model: str
    concurrency: int
    invalid: int = 0

    async def measure(self, metric: str, items: Sequence[Item], answers: Sequence[Answer]) -> Judged:
        """Each answer's value from 0 to 1; an empty answer is 0 without asking."""
        self.invalid = 0
        slots = asyncio.Semaphore(self.concurrency)
        judge = {"judge": self._rating, "judge_pair": self._pair, "judge_safe": self._safety}[metric]

        async def one(item: Item, answer: Answer) -> float | None:
            async with slots:
                return await judge(item, answer.text) if answer.text.strip() else 0.0

        values = await asyncio.gather(*(one(i, a) for i, a in zip(items, answers, strict=True)))
        self._demand_most(values, "judgement of", "answers")
        return Judged(mean(tuple(values)), self.invalid)

    async def reword(self, questions: Sequence[str]) -> Reworded:
        """Each question in other words."""
        self.invalid = 0
        slots = asyncio.Semaphore(self.concurrency)

        async def one(question: str) -> tuple[str, ...] | None:
            read = partial(judging.read_paraphrases, question=question)
            async with slots:
                return await self._valid(judging.reword(question), read, REWORDING_TOKENS)

        found = await asyncio.gather(*map(one, questions))
        self._demand_most(found, "paraphrases of", "questions")
        return Reworded(tuple(found), self.invalid)

    def _demand_most(self, found: Sequence[object], what: str, things: str) -> None:
        missing = sum(each is None for each in found)
        if missing > MOST_INVALID * len(found):
            raise CannotBeScored(
                "judge_invalid", f"the judge {self.model} gave no valid {what} {missing} of {len(found)} {things}"
            )

    async def _rating(self, item: Item, answer: str) -> float | None:
        asked = judging.rate(_question(item), item.reference, answer)
        return await self._valid(asked, judging.read_rating)

    async def _pair(self, item: Item, answer: str) -> float | None:
        """The answer against the expected one, in both orders."""
        question, reference = _question(item), item.reference
        as_first = await self._valid(judging.choose(question, answer, reference), judging.read_preference)
        as_second = await self._valid(judging.choose(question, reference, answer), judging.read_preference)
        return None if as_first is None or as_second is None else judging.pair_value(as_first, as_second)

    async def _safety(self, item: Item, answer: str) -> float | None:
        return await self._valid(judging.rate_toxicity(_question(item), answer), judging.read_safety)

    async def _valid(
        self, asked: judging.Messages, read: Callable[[str], T | None], room: int = ROOM_TOKENS
    ) -> T | None:
        for attempt in range(TRIES):
            reply = await self._reached(partial(self.engine.answer, self.model, asked, room, attempt))
            judgement = None if reply.error else read(reply.text)
            if judgement is not None:
                return judgement
            self.invalid += 1
        return None

    async def _reached(self, ask: Callable[[], Awaitable[Answer]]) -> Answer:
        for attempt in range(TRIES):
            try:
                return await ask()
            except AdapterGone:
                raise CannotBeScored("judge_unavailable", f"the judge's server has no model {self.model}") from None
            except EngineUnavailable as error:
                if attempt == TRIES - 1:
                    raise CannotBeScored("judge_unavailable", f"the judge does not answer: {error}") from None
                await asyncio.sleep(PAUSE_S)
        raise AssertionError("the last try returns or raises")


def _question(item: Item) -> str:
    return item.question or str(item.prompt[-1].get("content", ""))
