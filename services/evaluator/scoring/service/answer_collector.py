"""Asks a model every question, many at once, and waits while the engine restarts."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

from services.evaluator.scoring.domain.answer import Answer
from services.evaluator.scoring.domain.item import CannotBeScored, Item
from services.evaluator.scoring.ports import AdapterGone, Engine, EngineUnavailable
from services.evaluator.scoring.service.likelihood import LikelihoodScorer
from shared import telemetry

T = TypeVar("T")
RETRY_PAUSES_S = (0.5, 1, 2, 5)
_log = telemetry.logger(__name__)


@dataclass(frozen=True)
class Adapter:
    """An adapter in a folder that the engine can read, and the name to load it under."""

    name: str
    folder: Path


@dataclass(frozen=True)
class AnswerCollector:
    """`engine_wait_s` is how long one question waits for an unavailable engine."""

    engine: Engine
    concurrency: int
    engine_wait_s: float
    _loading: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def answers(
        self, base_model: str, adapter: Adapter | None, items: Sequence[Item], max_tokens: int
    ) -> list[Answer]:
        """One answer per item, in their order.

        Raises `CannotBeScored` if the engine refuses the adapter or every item, and `EngineUnavailable`.
        """
        timed = any(item.timed for item in items)
        likelihood = LikelihoodScorer(self.engine)

        async def once(item: Item, model: str, base: str) -> Answer:
            if item.choices:
                return await likelihood.choose(model, base, item)
            if item.likelihood_only:
                return await likelihood.reference_likelihood(model, base, item)
            if item.timed:
                return await self.engine.time(model, item.prompt, max_tokens)
            return await self.engine.answer(model, item.prompt, max_tokens)

        # Timing measures what a single user sees, so timed questions run one at a time.
        async with self.model(base_model, adapter, 1 if timed else self.concurrency) as loaded:
            if timed:
                # The very first answer is slower: the engine warms up.
                await loaded.ask(partial(once, items[0]))
            answers = await gathered([loaded.ask(partial(once, item)) for item in items])
        if all(answer.error is not None for answer in answers):
            raise CannotBeScored("items_refused", f"the engine refused every question: {answers[0].error}")
        return answers

    @asynccontextmanager
    async def model(
        self, base_model: str, adapter: Adapter | None, concurrency: int | None = None
    ) -> AsyncGenerator["LoadedModel"]:
        """A model that answers until the end of the block; raises like `answers`."""
        base = await self.with_retries(lambda: self.engine.served_name(base_model))
        try:
            if adapter is None:
                await self.with_retries(lambda: self.engine.use_base(base))
            else:
                await self.with_retries(lambda: self._load(adapter, base))
            yield LoadedModel(self, base, adapter, asyncio.Semaphore(concurrency or self.concurrency))
            await self.engine.confirm()
        finally:
            if adapter is not None:
                await self._unload(adapter.name)

    async def once(self, base: str, adapter: Adapter | None, request: Callable[[], Awaitable[T]]) -> T:
        """One request, without retries; a forgotten adapter is loaded again."""
        try:
            return await request()
        except AdapterGone:
            if adapter is None:
                raise EngineUnavailable(f"the engine no longer serves {base!r}") from None
            # The engine restarted, or another evaluator of the same version unloaded the adapter.
            await self._load(adapter, base)
            raise EngineUnavailable(f"the adapter {adapter.name} was loaded again") from None

    async def _load(self, adapter: Adapter, base: str) -> None:
        async with self._loading:
            await self.engine.load(adapter.name, adapter.folder, base)

    async def _unload(self, name: str) -> None:
        try:
            await self.engine.unload(name)
        except EngineUnavailable as error:
            # A restart forgets adapters, and a second load does no harm.
            _log.warning("the adapter stays loaded", adapter=name, error=str(error))

    async def with_retries(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Repeat an attempt while the engine is unavailable, for at most `engine_wait_s`."""
        give_up_at = time.monotonic() + self.engine_wait_s
        tries = 0
        while True:
            try:
                return await attempt()
            except EngineUnavailable as error:
                if time.monotonic() >= give_up_at:
                    raise
                _log.info("waiting for the engine", error=str(error))
            await asyncio.sleep(RETRY_PAUSES_S[min(tries, len(RETRY_PAUSES_S) - 1)])
            tries += 1


@dataclass(frozen=True)
class LoadedModel:
    """A model that the engine serves now. At most so many requests as `slots` run at once."""

    collector: AnswerCollector
    base: str
    adapter: Adapter | None
    slots: asyncio.Semaphore

    async def ask(self, request: Callable[[str, str], Awaitable[T]]) -> T:
        """The result of a request, which gets the engine's names of the model and of its base model."""
        name = self.base if self.adapter is None else self.adapter.name
        once = partial(self.collector.once, self.base, self.adapter, lambda: request(name, self.base))
        async with self.slots:
            return await self.collector.with_retries(once)


async def gathered(work: Sequence[Awaitable[T]]) -> list[T]:
    """Every result; the first error cancels the rest."""
    tasks = [asyncio.ensure_future(each) for each in work]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()
