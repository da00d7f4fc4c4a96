"""Inference: a public name becomes a version, a version a replica, and the answer comes back under the public name."""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from random import getrandbits
from typing import Any

from services.gateway.domain.chat import ChatRequest
from services.gateway.domain.deployment import Target
from services.gateway.domain.fleet import Fleet, Replica
from services.gateway.domain.limits import Header
from services.gateway.domain.names import loaded_name
from services.gateway.domain.refusals import BadRequest, Busy, EngineRefused, NoReplica, NotPermitted, no_model
from services.gateway.domain.routing import Asking, Plan
from services.gateway.domain.wire import EventCutter, StreamUsage, Used, error_of, renamed, used
from services.gateway.ports import Answer, CheckpointView, Engine, EngineError, EngineUnreachable, JobView, Sink, Views
from services.gateway.service.comparison import Comparison
from services.gateway.service.deployments import Deployments, Directory
from services.gateway.service.ledger import Ledger, Permit
from services.gateway.service.loader import FAILURES, Loader
from services.gateway.service.permissions import Permissions
from shared.security import Key

_NO_HEADERS: Mapping[bytes, bytes] = {}
# The first replica, and one more chance on another or the same.
TRIES = 2
# For an engine whose weights are being replaced, and how often it is looked whether they are.
LONGEST_WAIT_S = 60.0
LOOK_S = 0.01


@dataclass
class Served:
    """An answer of one version. `body` is the whole of it, None for a stream, which must be read or closed."""

    target: Target
    answer: Answer
    replica: Replica
    body: bytes | None = None
    closed: bool = False
    usage: StreamUsage = field(default_factory=lambda: StreamUsage(asked=True))
    headers: tuple[Header, ...] = ()
    """What the caller is told of his limits."""
    _ends: list[Callable[["Served"], None]] = field(default_factory=list[Callable[["Served"], None]])

    async def relay(self, sink: Sink) -> None:
        """Pass the server-sent events on as they come; raises `EngineUnreachable` when they break off."""
        cutter, loaded, public = EventCutter(), self.replica.calls(self.target.loaded), self.target.public

        def take(parts: list[bytes]) -> bool:
            events = [renamed(event, loaded, public) for part in parts for event in cutter.cut(part)]
            return sink.take(self.usage.heard(events))

        await self.answer.relay(take, sink.drained)
        self.replica.answered_at = time.monotonic()

    def close(self) -> None:
        """Leave the engine, which stops its work for an answer that nobody waits for."""
        if not self.closed:
            self.closed = True
            self.answer.close()
            self.replica.in_flight -= 1
            for end in self._ends:
                end(self)

    def admitted(self, permit: Permit, prompt_tokens: int) -> None:
        """Let the answer end the permit that it was asked with; `prompt_tokens` where the engine will not say."""
        self.headers = permit.headers

        def end(served: "Served") -> None:
            said = served.usage.used if served.body is None else used(served.body)
            # A stream that broke off, or was left, has taken about as many tokens as it had events.
            said = said or Used(prompt_tokens, served.usage.events)
            permit.end(served.target.version, said.prompt_tokens, said.completion_tokens)

        self.when_closed(end)

    def when_closed(self, end: Callable[["Served"], None]) -> None:
        """Call `end` when the answer is over, which it may be already."""
        if self.closed:
            end(self)
        else:
            self._ends.append(end)


@dataclass(frozen=True)
class Inference:
    """The use cases of those who only call models. `max_in_flight` requests are answered at once."""

    directory: Directory
    fleet: Fleet
    engine: Engine
    loader: Loader
    deployments: Deployments
    jobs: Views[JobView]
    checkpoints: Views[CheckpointView]
    permissions: Permissions
    max_in_flight: int
    comparison: Comparison
    ledger: Ledger

    def models(self) -> list[dict[str, Any]]:
        """Every name that can be called with the scope `infer`."""
        return [self.model(name) for name in self.directory.catalog.names()]

    def model(self, name: str) -> dict[str, Any]:
        """One of them, in OpenAI's shape with its lineage; raises `Missing`."""
        catalog = self.directory.catalog
        if (target := catalog.find(name)) is None:
            raise no_model(name)
        return {
            "id": name,
            "object": "model",
            "created": catalog.created[name],
            "owned_by": "assay",
            "root": target.version,
            "parent": catalog.parents[name],
        }

    async def chat(self, request: ChatRequest, key: Key, headers: Mapping[bytes, bytes] = _NO_HEADERS) -> Served:
        """Ask the version that the name means now for this caller; raises a `Refusal`."""
        permit = await self.ledger.admit(key, request.prompt_tokens + request.answer_tokens)
        try:
            served = await self._served(request, key, headers)
        except BaseException:
            permit.cancel()
            raise
        served.admitted(permit, request.prompt_tokens)
        return served

    async def _served(self, request: ChatRequest, key: Key, headers: Mapping[bytes, bytes]) -> Served:
        if (plan := self.directory.plans.get(request.model)) is not None:
            return await self._routed(plan, request, Asking(key.id, request.user, headers))
        target = self.directory.catalog.find(request.model) or await self._beyond_catalog(request.model, key)
        return await self._answer(target, request)

    async def _routed(self, plan: Plan, request: ChatRequest, asking: Asking) -> Served:
        choice = plan.choose(asking, getrandbits(64))
        # A share of the requests must not fail because its version is not loaded yet, or nowhere any more.
        held = self.fleet.holds(choice.target.base, choice.target.loaded)
        target = choice.target if held else plan.current
        served = await self.comparison.watch(plan.alias, target.version, self._answer(target, request))
        if choice.shadow:
            self.comparison.copy(plan.alias, choice.shadow, request, served)
        return served

    async def _answer(self, target: Target, request: ChatRequest) -> Served:
        if self.fleet.in_flight >= self.max_in_flight:
            raise Busy("Too many requests are being answered; try again shortly.", code="rate_limit_exceeded")
        served = await self._answered(target, request)
        if served is None and self._comes(target):
            served = await self._answered_soon(target, request)
        if served is None:
            raise NoReplica(f"No engine can answer for {request.model!r} now.", code="service_unavailable")
        return served

    async def _answered_soon(self, target: Target, request: ChatRequest) -> Served | None:
        """Wait for engines whose weights are being replaced; by then the name may mean another version."""
        self.fleet.waiting += 1
        try:
            async with asyncio.timeout(LONGEST_WAIT_S):
                while self._comes(target):
                    await asyncio.sleep(LOOK_S)
                    target = self.directory.catalog.find(request.model) or target
                    if self.fleet.serving(target.base, target.loaded):
                        return await self._answered(target, request)
        except TimeoutError:
            pass
        finally:
            self.fleet.waiting -= 1
        return None

    def _comes(self, target: Target) -> bool:
        """Whether engines that are for one alias alone are about to hold these weights."""
        made = target.candidate
        if made is None or made.suffix is None or not self.fleet.has_own(target.base, made.suffix):
            return False
        meant = self.directory.catalog.find(made.suffix)
        return meant is not None and meant.loaded == target.loaded and bool(self.fleet.up(target.base, made.suffix))

    async def _answered(self, target: Target, request: ChatRequest) -> Served | None:
        if target.loaded in self.loader.lent or not self.fleet.holds(target.base, target.loaded):
            await self._ensure(target)
        tried: list[str] = []
        while len(tried) < TRIES and (able := self.fleet.serving(target.base, target.loaded)):
            replica = next((r for r in able if r.url not in tried), able[0])
            tried.append(replica.url)
            if served := await self._ask(replica, target, request):
                return served
        return None

    async def _ask(self, replica: Replica, target: Target, request: ChatRequest) -> Served | None:
        """One try; None when another replica, or another moment, may do better."""
        replica.in_flight += 1
        # Any other engine would not know the name of weights that it lost.
        check = partial(self._check, replica, target) if replica.alias else None
        try:
            body = request.addressed_to(replica.calls(target.loaded))
            answer = await self.engine.chat(replica.url, request.path, body, check)
        except BaseException as error:
            replica.in_flight -= 1
            if not isinstance(error, EngineUnreachable):
                raise
            self._suspect(replica)
            return None
        served = Served(target, answer, replica, usage=StreamUsage(request.usage_asked))
        if answer.status == 200 and request.stream:
            return served
        try:
            served.body = renamed(await answer.read(), replica.calls(target.loaded), target.public)
        except EngineUnreachable:
            self._suspect(replica)
            return None
        finally:
            served.close()
        return self._judged(served)

    async def _check(self, replica: Replica, target: Target) -> None:
        """See that an engine still holds a version as its own weights; raises `EngineUnreachable`."""
        try:
            held = await self.engine.held(replica.url)
        except EngineError as error:
            raise EngineUnreachable(str(error)) from error
        if not held.sure or held.marker != target.loaded:
            replica.holds(None)
            raise EngineUnreachable(f"{replica.url}: holds {held.marker!r} now")

    def _judged(self, served: Served) -> Served | None:
        """A whole answer that the caller may have, or the engine's error in our terms."""
        status, target, replica = served.answer.status, served.target, served.replica
        if status == 200:
            replica.answered_at = time.monotonic()
            return served
        if status == 404 and target.candidate is not None:
            # The engine was started again faster than the loop looks: it must load this version first.
            replica.loaded.discard(target.loaded)
            self.deployments.changed.set()
            return None
        error = error_of(served.body or b"")
        message = str(error.get("message") or "The engine gave no reason.")
        message = message.replace(replica.calls(target.loaded), target.public)
        if 400 <= status < 500:
            raise BadRequest(message, param=error.get("param"), code="invalid_request")
        self._suspect(replica)
        raise EngineRefused(502, message, code="engine_error")

    def _suspect(self, replica: Replica) -> None:
        replica.doubt()
        self.deployments.changed.set()

    async def _ensure(self, target: Target) -> None:
        """See that some replica holds what no deployment keeps loaded: a checkpoint, or an old version."""
        if target.candidate is None or self._comes(target):
            return
        try:
            await self.loader.lend(target.candidate)
        except FAILURES as error:
            raise NoReplica(f"{target.public!r} cannot be loaded now: {error}", code="model_not_loaded") from None

    async def _beyond_catalog(self, name: str, key: Key) -> Target:
        """Names that are no deployment: owners may call checkpoints, and are told why a model cannot be called yet."""
        for found in await self.checkpoints.where(model_name=name, saved=True):
            made = found.candidate
            if await self.permissions.may_call(made, key) and made.base_model in self.fleet.pools:
                return Target(name, made.base_model, loaded_name(made), made.version, made)
        for job in await self.jobs.where(fine_tuned_model=name, status="succeeded"):
            if key.owns(job.owner):
                state = "was not approved" if job.rejected else "is not approved yet"
                raise NotPermitted(f"The model {job.model!r} {state}.", param="model", code="model_not_approved")
        # What is another key's is as good as not there.
        raise no_model(name)
