"""The answer collector with an in-memory engine that can restart."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from services.evaluator.scoring.domain.answer import Answer
from services.evaluator.scoring.domain.item import CannotBeScored, Item
from services.evaluator.scoring.ports import AdapterGone, EngineUnavailable
from services.evaluator.scoring.service.answer_collector import Adapter, AnswerCollector

ADAPTER = Adapter("eval-v-1", Path("/adapter"))
ITEMS = tuple(Item(({"role": "user", "content": str(n)},), f"r{n}") for n in range(10))


@dataclass
class MemoryEngine:
    """Answers with the model's name and the question; a restart forgets its adapters."""

    loaded: set[str] = field(default_factory=lambda: {"v-of-the-gateway"})
    away_for: int = 0
    restart_after: int = -1
    too_long: frozenset[str] = frozenset()
    at_once: int = 0
    most_at_once: int = 0

    async def served_name(self, base_model: str) -> str:
        self._here()
        return base_model

    async def load(self, name: str, folder: Path, base: str) -> None:
        self._here()
        self.loaded.add(name)

    async def use_base(self, base: str) -> None:
        self._here()

    async def confirm(self) -> None:
        pass

    async def unload(self, name: str) -> None:
        self._here()
        self.loaded.discard(name)

    async def answer(self, model: str, prompt: Sequence[dict[str, Any]], max_tokens: int, attempt: int = 0) -> Answer:
        self._here()
        question = prompt[-1]["content"]
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(0.001)
        self.at_once -= 1
        self.restart_after -= 1
        if self.restart_after == 0:
            self.loaded, self.away_for = set(), 3
        if model.startswith("eval-") and model not in self.loaded:
            raise AdapterGone(model)
        return Answer("", "400 too long") if question in self.too_long else Answer(f"{model}/{question}")

    def _here(self) -> None:
        if self.away_for > 0:
            self.away_for -= 1
            raise EngineUnavailable("connection refused")


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.evaluator.scoring.service.answer_collector.RETRY_PAUSES_S", (0.01,))


def answering(engine: MemoryEngine, engine_wait_s: float = 5) -> AnswerCollector:
    return AnswerCollector(engine, concurrency=4, engine_wait_s=engine_wait_s)


async def test_answers_keep_their_order_and_concurrency_is_limited() -> None:
    engine = MemoryEngine()
    answers = await answering(engine).answers("base", None, ITEMS, 10)
    assert [answer.text for answer in answers] == [f"base/{n}" for n in range(10)]
    assert engine.most_at_once == 4


async def test_only_the_evaluators_own_adapter_is_unloaded() -> None:
    engine = MemoryEngine()
    answers = await answering(engine).answers("base", ADAPTER, ITEMS, 10)
    assert {answer.text.split("/")[0] for answer in answers} == {"eval-v-1"}
    assert engine.loaded == {"v-of-the-gateway"}


async def test_a_restarted_engine_gets_its_adapter_again_and_every_item_is_answered() -> None:
    engine = MemoryEngine(restart_after=5)
    answers = await answering(engine).answers("base", ADAPTER, ITEMS, 10)
    assert [answer.text for answer in answers] == [f"eval-v-1/{n}" for n in range(10)]


async def test_an_engine_that_stays_down_raises_engine_unavailable() -> None:
    with pytest.raises(EngineUnavailable, match="connection refused"):
        await answering(MemoryEngine(away_for=10**6), engine_wait_s=0.05).answers("base", ADAPTER, ITEMS, 10)


async def test_a_refused_question_keeps_its_reason() -> None:
    answers = await answering(MemoryEngine(too_long=frozenset("3"))).answers("base", None, ITEMS, 10)
    assert answers[3] == Answer("", "400 too long")
    assert sum(answer.error is None for answer in answers) == 9


async def test_if_every_question_is_refused_the_evaluation_is_an_error_not_a_zero() -> None:
    with pytest.raises(CannotBeScored, match="every question"):
        await answering(MemoryEngine(too_long=frozenset("0123456789"))).answers("base", None, ITEMS, 10)
