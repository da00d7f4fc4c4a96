"""Scorings in child processes: which may use an engine at the same time."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from services.evaluator.config import Settings
from services.evaluator.scoring.adapters.worker_process import WorkerScorer
from services.evaluator.scoring.domain.target import Target
from services.evaluator.scoring.ports import EngineUnavailable
from shared.child import Children
from shared.events import Artifact

ENGINES = {"other": "http://other-engine"}
LOOP_TURNS = 20


@dataclass
class HeldChildren(Children):
    """Children that score until they are let go; `running` are the base models of those that run now."""

    go: asyncio.Event = field(default_factory=asyncio.Event)
    running: list[str] = field(default_factory=list)

    async def keep_ready(self) -> None:
        """Does nothing: these children are no processes."""

    async def start(self, request: dict[str, Any], *, new: bool = False) -> Any:
        self.running.append(request["target"]["base_model"])
        return HeldChild(self, self.running[-1])


@dataclass
class HeldChild:
    children: HeldChildren
    base_model: str

    async def messages(self) -> AsyncIterator[dict[str, Any]]:
        await self.children.go.wait()
        yield {"unavailable": "let go"}

    async def kill(self) -> None:
        self.children.running.remove(self.base_model)


def target(base_model: str) -> Target:
    return Target(base_model=base_model, test=Artifact(uri="file:///test", sha256="0" * 64, bytes=1))


async def running_at_once(mode: str, *base_models: str) -> list[str]:
    """The base models of the scorings that run while none may end; then all of them end."""
    children = HeldChildren()
    scorer = WorkerScorer(Settings(engine_mode=mode, engine_urls=ENGINES), children)
    scorings = [asyncio.create_task(scorer.score(target(name))) for name in base_models]
    for _ in range(LOOP_TURNS):
        await asyncio.sleep(0)
    seen = list(children.running)
    children.go.set()
    outcomes = await asyncio.gather(*scorings, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [EngineUnavailable] * len(base_models)
    assert children.running == []
    return seen


async def test_an_engine_whose_weights_are_replaced_has_one_scoring_at_a_time() -> None:
    assert await running_at_once("weights", "base", "base") == ["base"]


async def test_engines_of_different_base_models_score_side_by_side() -> None:
    assert await running_at_once("weights", "base", "other", "other") == ["base", "other"]


async def test_an_engine_with_adapters_has_several_scorings_at_a_time() -> None:
    assert await running_at_once("adapters", "base", "base") == ["base", "base"]


async def test_a_cancelled_scoring_lets_the_next_one_begin() -> None:
    children = HeldChildren()
    scorer = WorkerScorer(Settings(engine_mode="weights"), children)
    first, second = (asyncio.create_task(scorer.score(target(name))) for name in ("first", "second"))
    for expected in (["first"], ["second"]):
        for _ in range(LOOP_TURNS):
            await asyncio.sleep(0)
        assert children.running == expected
        first.cancel()
    children.go.set()
    with pytest.raises(EngineUnavailable):
        await second
