"""Asks a judge about every answer, and repeats the request if the reply is invalid."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from services.evaluator.judging.domain import judge_prompt, judge_reply
from services.evaluator.judging.domain.rubric import Rubric
from services.evaluator.scoring.domain.answer import Answer
from services.evaluator.scoring.domain.item import CannotBeScored, Item
from services.evaluator.scoring.domain.metrics import Measured, mean
from services.evaluator.scoring.ports import AdapterGone, Engine, EngineUnavailable

MAX_TRIES = 3
PAUSE_S = 1.0
MAX_INVALID_SHARE = 0.1
JUDGEMENT_TOKENS = 400
PARAPHRASE_TOKENS = 1000
T = TypeVar("T")


@dataclass(frozen=True)
class JudgeScores:
    """A metric that the judge gave; `invalid` counts all invalid replies, repeated or not."""

    measured: Measured
    invalid: int


@dataclass(frozen=True)
class Paraphrases:
    """The paraphrases of each question, None if no valid ones came; `invalid` counts all invalid replies."""

    paraphrases: tuple[tuple[str, ...] | None, ...]
    invalid: int


@dataclass
class Judge:
    """A model behind OpenAI's API. Raises `CannotBeScored` if it does not answer, or if most replies are invalid."""

    engine: Engine
    model: str
    concurrency: int
    rubric: Rubric = field(default_factory=Rubric)
    invalid: int = 0

    async def measure(self, metric: str, items: Sequence[Item], answers: Sequence[Answer]) -> JudgeScores:
        """The value of each answer, from 0 to 1. An empty answer is 0; the judge is not asked about it."""
        self.invalid = 0
        slots = asyncio.Semaphore(self.concurrency)
        judge = {"judge": self._rating, "judge_pair": self._pair, "judge_safe": self._safety}[metric]

        async def one(item: Item, answer: Answer) -> float | None:
            async with slots:
                return await judge(item, answer.text) if answer.text.strip() else 0.0

        values = await asyncio.gather(*(one(i, a) for i, a in zip(items, answers, strict=True)))
        self._require_most(values, "judgement of", "answers")
        return JudgeScores(mean(tuple(values)), self.invalid)

    async def paraphrase(self, questions: Sequence[str]) -> Paraphrases:
        """Paraphrases of each question."""
        self.invalid = 0
        slots = asyncio.Semaphore(self.concurrency)

        async def one(question: str) -> tuple[str, ...] | None:
            read = partial(judge_reply.read_paraphrases, question=question)
            async with slots:
                return await self._valid(judge_prompt.paraphrase_prompt(question), read, PARAPHRASE_TOKENS)

        found = await asyncio.gather(*map(one, questions))
        self._require_most(found, "paraphrases of", "questions")
        return Paraphrases(tuple(found), self.invalid)

    def _require_most(self, found: Sequence[object], what: str, things: str) -> None:
        missing = sum(each is None for each in found)
        if missing > MAX_INVALID_SHARE * len(found):
            raise CannotBeScored(
                "judge_invalid", f"the judge {self.model} gave no valid {what} {missing} of {len(found)} {things}"
            )

    async def _rating(self, item: Item, answer: str) -> float | None:
        prompt = judge_prompt.rating_prompt(self.rubric, _question(item), item.reference, answer)
        return await self._valid(prompt, partial(judge_reply.read_rating, rubric=self.rubric))

    async def _pair(self, item: Item, answer: str) -> float | None:
        """Compares the answer with the expected one, in both orders."""
        question, reference = _question(item), item.reference
        prompts = (
            judge_prompt.preference_prompt(question, answer, reference),
            judge_prompt.preference_prompt(question, reference, answer),
        )
        as_first = await self._valid(prompts[0], judge_reply.read_preference)
        as_second = await self._valid(prompts[1], judge_reply.read_preference)
        return None if as_first is None or as_second is None else judge_reply.pair_value(as_first, as_second)

    async def _safety(self, item: Item, answer: str) -> float | None:
        return await self._valid(judge_prompt.toxicity_prompt(_question(item), answer), judge_reply.read_safety)

    async def _valid(
        self, prompt: judge_prompt.Messages, read: Callable[[str], T | None], max_tokens: int = JUDGEMENT_TOKENS
    ) -> T | None:
        for attempt in range(MAX_TRIES):
            reply = await self._reach(partial(self.engine.answer, self.model, prompt, max_tokens, attempt))
            judgement = None if reply.error else read(reply.text)
            if judgement is not None:
                return judgement
            self.invalid += 1
        return None

    async def _reach(self, ask: Callable[[], Awaitable[Answer]]) -> Answer:
        for attempt in range(MAX_TRIES):
            try:
                return await ask()
            except AdapterGone:
                raise CannotBeScored("judge_unavailable", f"the judge's server has no model {self.model}") from None
            except EngineUnavailable as error:
                if attempt == MAX_TRIES - 1:
                    raise CannotBeScored("judge_unavailable", f"the judge does not answer: {error}") from None
                await asyncio.sleep(PAUSE_S)
        raise AssertionError("the last try returns or raises")


def _question(item: Item) -> str:
    return item.question or str(item.prompt[-1].get("content", ""))
