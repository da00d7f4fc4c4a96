"""Sends one chat request to one replica, and judges the replica by its answer: one try of several."""

import asyncio
import time
from collections.abc import Collection
from dataclasses import dataclass
from functools import partial

from services.gateway.common.domain.errors import EngineRefused
from services.gateway.inference.domain.chat_request import ChatRequest
from services.gateway.inference.domain.engine_error import refused_by_engine
from services.gateway.inference.domain.prompt_template import applied
from services.gateway.inference.domain.stream_events import StreamUsage, error_of, renamed
from services.gateway.inference.ports import ChatEngine
from services.gateway.inference.service.served_answer import ServedAnswer
from services.gateway.serving.domain.catalog import Target
from services.gateway.serving.domain.replica import Replica
from services.gateway.serving.ports import Engine, EngineError, EngineUnreachable


@dataclass(frozen=True)
class ReplicaAttempt:
    """`changed` wakes the loop that looks at replicas."""

    engine: Engine
    chat_engine: ChatEngine
    changed: asyncio.Event

    async def send(self, replica: Replica, target: Target, request: ChatRequest) -> ServedAnswer | None:
        """One try; None when another replica or a later try may do better. Raises `BadRequest`, `EngineRefused`."""
        asked = applied(request, target.candidate)
        replica.in_flight += 1
        # An engine that serves adapters would not know the name of weights that it lost; a dedicated one would.
        check = partial(self._check_weights, replica, target) if replica.alias else None
        try:
            body = asked.addressed_to(replica.engine_name(target.loaded))
            answer = await self.chat_engine.chat(replica.url, request.path, body, check)
        except BaseException as error:
            replica.in_flight -= 1
            if not isinstance(error, EngineUnreachable):
                raise
            self._mark_failed(replica)
            return None
        served = ServedAnswer(target, answer, replica, usage=StreamUsage(request.usage_asked))
        if answer.status == 200 and request.stream:
            return served
        try:
            served.body = renamed(await answer.read(), replica.engine_name(target.loaded), target.public)
        except EngineUnreachable:
            self._mark_failed(replica)
            return None
        finally:
            served.close()
        return self._checked(served, request.members.keys())

    async def _check_weights(self, replica: Replica, target: Target) -> None:
        """Check that a dedicated engine still holds the version; raises `EngineUnreachable`."""
        try:
            weights = await self.engine.weights(replica.url)
        except EngineError as error:
            raise EngineUnreachable(str(error)) from error
        if not weights.sure or weights.marker != target.loaded:
            replica.holds(None)
            raise EngineUnreachable(f"{replica.url} now serves other weights: {weights.marker!r}")

    def _checked(self, served: ServedAnswer, sent: Collection[str]) -> ServedAnswer | None:
        """The answer, None to try again, or the engine's error in OpenAI's terms."""
        status, target, replica = served.answer.status, served.target, served.replica
        if status == 200:
            replica.answered_at = time.monotonic()
            return served
        if status == 404 and target.candidate is not None:
            # The engine restarted between two looks: it must load this version first.
            replica.loaded.discard(target.loaded)
            self.changed.set()
            return None
        error = error_of(served.body or b"")
        message = str(error.get("message") or "The engine refused the request without a reason.")
        message = message.replace(replica.engine_name(target.loaded), target.public)
        if 400 <= status < 500:
            raise refused_by_engine(error, message, sent)
        self._mark_failed(replica)
        raise EngineRefused(502, message, code="engine_error")

    def _mark_failed(self, replica: Replica) -> None:
        replica.mark_failed()
        self.changed.set()
