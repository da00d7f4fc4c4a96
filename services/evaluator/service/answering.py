"""Asks a model every question, many at once, and waits out an engine that restarts."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from services.evaluator.domain.results import Answer
from services.evaluator.domain.suite import CannotBeScored, Item
from services.evaluator.ports import AdapterGone, Engine, EngineUnavailable
from services.evaluator.service.choosing import Choosing
from shared import telemetry

T = TypeVar("T")
PAUSES_S = (0.5, 1, 2, 5)
_log = telemetry.logger(__name__)


@dataclass(frozen=True)
class Adapter:
    """An adapter in a folder that the engine can read, and the name that is ours to load it under."""

    name: str
    folder: Path


@dataclass(frozen=True)
class Answering:
    """How an engine is asked. `patience_s` is how long one question waits for an engine that is away."""

    engine: Engine
    concurrency: int
    patience_s: float
    _loading: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def answers(
        self, base_model: str, adapter: Adapter | None, items: Sequence[Item], max_tokens: int
    ) -> list[Answer]:
        """One answer an item, in their order.

        Raises `CannotBeScored` when the engine refuses the adapter or every item, and `EngineUnavailable`.
        """
        base = await self._patiently(lambda: self.engine.served_name(base_model))
        model = base if adapter is None else adapter.name
        timed = any(item.timed for item in items)
        # What is timed is what one user sees: no question waits for another.
        slots = asyncio.Semaphore(1 if timed else self.concurrency)
        choosing = Choosing(self.engine)

        async def once(item: Item) -> Answer:
            if item.choices:
                return await choosing.answer(model, base, item)
            if item.weighed:
                return await choosing.weigh(model, base, item)
            if item.timed:
                return await self.engine.time(model, item.prompt, max_tokens)
            return await self.engine.answer(model, item.prompt, max_tokens)

        async def ask(item: Item) -> Answer:
            async with slots:
                return await self._patiently(lambda: self._answer(base, adapter, model, lambda: once(item)))

        try:
            if adapter is None:
                await self._patiently(lambda: self.engine.use_base(base))
            else:
                await self._patiently(lambda: self._load(adapter, base))
            if timed:
                # The first answer of all is slow for reasons of its own.
                await ask(items[0])
            answers = await _all([ask(item) for item in items])
            await self.engine.confirm()
        finally:
            if adapter is not None:
                await self._unload(adapter.name)
        if all(answer.error is not None for answer in answers):
            raise CannotBeScored("items_refused", f"the engine refused every question: {answers[0].error}")
        return answers

    async def _answer(
        self, base: str, adapter: Adapter | None, model: str, once: Callable[[], Awaitable[Answer]]
    ) -> Answer:
        try:
            return await once()
        except AdapterGone:
            if adapter is None:
                raise EngineUnavailable(f"the engine no longer serves {model!r}") from None
            # A restarted engine has forgotten it, or another evaluator of the same version unloaded it.
            await self._load(adapter, base)
            raise EngineUnavailable(f"the adapter {adapter.name} was loaded again") from None

    async def _load(self, adapter: Adapter, base: str) -> None:
        async with self._loading:
            await self.engine.load(adapter.name, adapter.folder, base)

    async def _unload(self, name: str) -> None:
        try:
            await self.engine.unload(name)
        except EngineUnavailable as error:
            # An engine that is away has forgotten its adapters, and a second load does no harm.
            _log.warning("the adapter stays loaded", adapter=name, error=str(error))

    async def _patiently(self, attempt: Callable[[], Awaitable[T]]) -> T:
        give_up_at = time.monotonic() + self.patience_s
        tries = 0
        while True:
            try:
                return await attempt()
            except EngineUnavailable as error:
                if time.monotonic() >= give_up_at:
                    raise
                _log.info("waiting for the engine", error=str(error))
            await asyncio.sleep(PAUSES_S[min(tries, len(PAUSES_S) - 1)])
            tries += 1


async def _all(work: Sequence[Awaitable[T]]) -> list[T]:
    """Every result; the first error ends the rest."""
    tasks = [asyncio.ensure_future(each) for each in work]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()
