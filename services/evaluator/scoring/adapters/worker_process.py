"""Scores in a child process, so that slow metrics do not block heartbeats and a crash does not end the service."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass, field

from services.evaluator.config import Settings
from services.evaluator.scoring.domain.item import CannotBeScored
from services.evaluator.scoring.domain.target import Target
from services.evaluator.scoring.domain.target_scores import TargetScores
from services.evaluator.scoring.ports import EngineUnavailable
from shared.child import Children

MODULE = "services.evaluator.worker"


@dataclass(frozen=True)
class WorkerScorer:
    """One child per target; it ends with this process, or if the scoring is cancelled.

    The next child starts while this one waits for the engine, so that imports do not delay each task of a suite.
    """

    settings: Settings
    children: Children = field(default_factory=lambda: Children(MODULE))
    _engines: defaultdict[str, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock), repr=False)
    """One lock for each engine's URL."""

    @asynccontextmanager
    async def lifespan(self, _app: object) -> AsyncGenerator[None]:
        await self.children.keep_ready()
        try:
            yield
        finally:
            await self.children.close()

    async def score(self, target: Target) -> TargetScores:
        request = {"settings": self.settings.model_dump(mode="json"), "target": target.model_dump(mode="json")}
        async with self._engine(target):
            child = await self.children.start(request)
            await self.children.keep_ready()
            try:
                outcomes = [message async for message in child.messages()]
            finally:
                await child.kill()
        return _scored(outcomes[-1] if outcomes else {})

    def _engine(self, target: Target) -> AbstractAsyncContextManager[None]:
        """The target's engine, for this scoring alone where a second one would replace its weights."""
        if self.settings.engine_mode == "weights":
            return self._engines[self.settings.engine_of(target.base_model)]
        return nullcontext()


def _scored(outcome: dict[str, object]) -> TargetScores:
    if outcome.get("scored"):
        return TargetScores.model_validate(outcome["scored"])
    failure = outcome.get("failure")
    if isinstance(failure, dict):
        raise CannotBeScored(failure["code"], failure["message"])
    raise EngineUnavailable(str(outcome.get("unavailable") or "the scoring ended without an outcome"))
