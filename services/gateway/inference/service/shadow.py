"""Compares versions of one alias: counts each one's answers, and sends copies of requests to a shadow version."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from services.gateway.common.domain.errors import BadRequest, EngineRefused, NoReplica
from services.gateway.inference.domain.chat_request import ChatRequest
from services.gateway.inference.domain.prompt_template import applied
from services.gateway.inference.domain.split_plan import Outcome
from services.gateway.inference.domain.stream_events import texts
from services.gateway.inference.ports import ChatEngine, RoutingMetrics
from services.gateway.serving.domain.catalog import Target
from services.gateway.serving.domain.fleet import Fleet
from services.gateway.serving.ports import EngineUnreachable

# Callers come first: more copies than this are not sent.
COPIES_AT_ONCE = 8


class Answered(Protocol):
    """An answer to a caller; `body` is the whole of it, None for a stream."""

    body: bytes | None

    def when_closed(self, end: Callable[[Any], None]) -> None: ...


A = TypeVar("A", bound=Answered)


@dataclass(frozen=True)
class ShadowTraffic:
    """Measures how a canary or a shadow version answers."""

    engine: ChatEngine
    fleet: Fleet
    metrics: RoutingMetrics
    copies: set["asyncio.Task[None]"] = field(default_factory=set["asyncio.Task[None]"])

    async def watch(self, alias: str, version: str, answer: Awaitable[A]) -> A:
        """Count an answer and time it to its last byte."""
        began_at = time.perf_counter()
        try:
            served = await answer
        except (NoReplica, EngineRefused):
            self.metrics.answered(alias, version, ok=False, seconds=time.perf_counter() - began_at)
            raise
        served.when_closed(lambda _: self.metrics.answered(alias, version, True, time.perf_counter() - began_at))
        return served

    def copy(self, alias: str, shadow: Target, request: ChatRequest, served: Answered) -> None:
        """Send the same request to the shadow in the background."""
        able = self.fleet.serving(shadow.base, shadow.loaded)
        if not able or len(self.copies) >= COPIES_AT_ONCE:
            self.metrics.copied(alias, shadow.version, "skipped", 0.0)
            return
        task = asyncio.create_task(self._ask(alias, shadow, request, served.body))
        self.copies.add(task)
        task.add_done_callback(self.copies.discard)

    async def _ask(self, alias: str, shadow: Target, request: ChatRequest, body: bytes | None) -> None:
        replica, began_at = self.fleet.serving(shadow.base, shadow.loaded)[0], time.perf_counter()
        replica.in_flight += 1
        try:
            loaded = replica.engine_name(shadow.loaded)
            body_sent = applied(request, shadow.candidate).addressed_to(loaded)
            answer = await self.engine.chat(replica.url, request.path, body_sent)
            try:
                outcome = _outcome(answer.status, await answer.read(), body)
            finally:
                answer.close()
        except (EngineUnreachable, BadRequest):
            outcome = "failed"
        finally:
            replica.in_flight -= 1
        self.metrics.copied(alias, shadow.version, outcome, time.perf_counter() - began_at)


def _outcome(status: int, copy: bytes, body: bytes | None) -> Outcome:
    if status != 200:
        return "failed"
    if body is None:
        return "answered"
    return "same" if texts(copy) == texts(body) else "different"
