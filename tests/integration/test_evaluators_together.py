"""Evaluator processes with real NATS and MongoDB, each with its own slow engine."""

import asyncio
import threading
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web

from shared.settings import CommonSettings
from tests.evaluator_process import Evaluator, checkpoint, evaluations, evaluator, nothing_is_left, send
from tests.jetstream import jetstream, stored_facts
from tests.scripted_engine import ScriptedEngine, adapter, scripted_engine

pytestmark = pytest.mark.timeout(240)
# Long beside what an evaluator does for a checkpoint apart from asking, also on a machine that is busy.
QUESTIONS, ANSWER_S = 20, 0.2


@dataclass
class BusyEngine(ScriptedEngine):
    """Answers one question at a time, like an engine on a busy CPU."""

    others: list["BusyEngine"] = field(default_factory=list)
    beside: int = 0
    """How many questions it answered while another engine was busy too."""
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def complete(self, request: web.Request) -> web.StreamResponse:
        async with self.turn:
            await asyncio.sleep(ANSWER_S)
            self.beside += any(other.turn.locked() for other in self.others if other is not self)
        return await super().complete(request)


@dataclass
class Evaluators:
    """Evaluators with their own engines, started one by one."""

    settings: CommonSettings
    folder: Path
    stack: AsyncExitStack
    engines: list[BusyEngine] = field(default_factory=list)

    async def start(self) -> Evaluator:
        engine = await self.stack.enter_async_context(scripted_engine(BusyEngine(others=self.engines)))
        self.engines.append(engine)
        waiting = evaluator(self.settings, engine.url, self.folder, f"evaluator-{len(self.engines)}")
        # The engine answers in this very loop.
        started = await asyncio.to_thread(waiting.__enter__)
        self.stack.push_async_callback(asyncio.to_thread, waiting.__exit__, None, None, None)
        return started

    @property
    def asked(self) -> Counter[str]:
        """Number of questions per model, over all engines."""
        return sum((engine.asked for engine in self.engines), Counter())

    async def score(self, steps: range) -> None:
        """Wait for the scores of all checkpoints."""
        told = [
            checkpoint(self.settings, adapter(self.settings, step), step, f"answer {steps}", QUESTIONS)
            for step in steps
        ]
        await send(self.settings, *told)
        done = await evaluations(self.settings, steps.stop - 1)
        assert [each.candidate.step for each in done][-len(steps) :] == list(steps)
        assert [each.error for each in done] == [None] * len(done)


@pytest.fixture
async def evaluators(bus_settings: CommonSettings, tmp_path: Path) -> AsyncIterator[Evaluators]:
    async with AsyncExitStack() as stack:
        yield Evaluators(bus_settings, tmp_path, stack)


async def test_two_evaluators_share_the_work_at_the_same_time_and_score_nothing_twice(evaluators) -> None:
    """Five checkpoints and their base model: six equal scorings. The first five let both evaluators warm up."""
    await evaluators.start()
    await evaluators.start()
    await evaluators.score(range(1, 6))
    assert evaluators.asked.total() == 6 * QUESTIONS
    before = [engine.asked.total() for engine in evaluators.engines]
    await evaluators.score(range(6, 11))
    await nothing_is_left(evaluators.settings, done=10)
    asked = evaluators.asked
    assert sorted(asked.values()) == [QUESTIONS] * 10 + [2 * QUESTIONS], "the base model once for each test split"
    # An engine that answers one question after another is done when its share is: at most 0.6 of what one had.
    shares = [engine.asked.total() - known for engine, known in zip(evaluators.engines, before, strict=True)]
    assert max(shares) <= 0.6 * 6 * QUESTIONS
    assert all(engine.beside >= QUESTIONS for engine in evaluators.engines)


async def test_a_killed_evaluators_checkpoint_is_scored_by_the_other(evaluators) -> None:
    first = await evaluators.start()
    work = asyncio.create_task(evaluators.score(range(1, 2)))
    while not evaluators.asked:
        await asyncio.sleep(0.05)
    first.process.kill()
    await evaluators.start()
    await work
    await nothing_is_left(evaluators.settings, done=1)
    assert evaluators.engines[1].asked.total() == 2 * QUESTIONS


async def test_an_evaluator_that_starts_while_the_artifact_store_is_away_publishes_its_suites_later(
    evaluators, tmp_path: Path
) -> None:
    store = tmp_path / "not_mounted"
    evaluators.settings = evaluators.settings.model_copy(update={"artifacts": str(store)})
    back = threading.Timer(6, store.mkdir)
    back.start()
    evaluator = await evaluators.start()
    assert "not published yet" in evaluator.log.read_text()
    async with asyncio.timeout(20), jetstream(evaluators.settings) as js:
        while not any(fact.subject == "suite.published" for fact in await stored_facts(js)):
            await asyncio.sleep(0.2)
    assert any(path.is_file() for path in store.rglob("*"))
