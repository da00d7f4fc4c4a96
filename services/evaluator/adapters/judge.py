"""The judge that the settings name."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from services.evaluator.adapters.vllm import Vllm
from services.evaluator.config import Settings
from services.evaluator.domain.results import Answer
from services.evaluator.domain.suite import CannotBeScored, Item
from services.evaluator.service.judging import Judging, Reworded


@asynccontextmanager
async def the_judge(settings: Settings) -> AsyncGenerator[Judging]:
    """A connection to it; raises `CannotBeScored` where there is none."""
    if not settings.judge_url:
        hint = "EVALUATOR_JUDGE_URL and EVALUATOR_JUDGE_MODEL name one"
        raise CannotBeScored("no_judge", f"there is no judge here: {hint}")
    async with Vllm(settings.judge_url, settings.judge_api_key, settings.judge_timeout_s) as server:
        yield Judging(server, settings.judge_model, settings.concurrency)


@dataclass(frozen=True)
class JudgeRater:
    """Rates by the reviewers' rubric, and rewords questions."""

    settings: Settings

    async def rate(self, items: Sequence[Item], answers: Sequence[Answer]) -> Sequence[float | None]:
        async with the_judge(self.settings) as judge:
            return (await judge.measure("judge", items, answers)).measured.items

    async def reword(self, questions: Sequence[str]) -> Reworded:
        async with the_judge(self.settings) as judge:
            return await judge.reword(questions)
