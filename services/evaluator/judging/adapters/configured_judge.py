"""The judge that the settings name."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from services.evaluator.config import Settings
from services.evaluator.judging.domain.rubric import Rubric
from services.evaluator.judging.service.judge import Judge, Paraphrases
from services.evaluator.scoring.adapters.vllm import Vllm
from services.evaluator.scoring.domain.answer import Answer
from services.evaluator.scoring.domain.item import CannotBeScored, Item


@asynccontextmanager
async def connect_judge(settings: Settings, rubric: Rubric | None = None) -> AsyncGenerator[Judge]:
    """A connection to the judge, who rates by the rubric or by the default; raises `CannotBeScored` if none is set."""
    if not settings.judge_url:
        hint = "set EVALUATOR_JUDGE_URL and EVALUATOR_JUDGE_MODEL"
        raise CannotBeScored("no_judge", f"no judge is configured: {hint}")
    api_key = settings.judge_api_key.get_secret_value()
    async with Vllm(settings.judge_url, api_key, settings.judge_timeout_s) as server:
        yield Judge(server, settings.judge_model, settings.concurrency, rubric or Rubric())


@dataclass(frozen=True)
class ConfiguredJudge:
    """Rates answers and writes paraphrases; connects for each call."""

    settings: Settings

    async def rate(self, items: Sequence[Item], answers: Sequence[Answer], rubric: Rubric) -> Sequence[float | None]:
        async with connect_judge(self.settings, rubric) as judge:
            return (await judge.measure("judge", items, answers)).measured.items

    async def paraphrase(self, questions: Sequence[str]) -> Paraphrases:
        async with connect_judge(self.settings) as judge:
            return await judge.paraphrase(questions)
