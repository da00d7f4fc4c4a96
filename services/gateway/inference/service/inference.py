"""Chat requests: a public name becomes a version, a version a replica, and the answer returns under the public name."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from random import getrandbits

from services.gateway.access.service.usage_ledger import UsageLedger
from services.gateway.common.domain.errors import Busy, NoReplica
from services.gateway.inference.domain.chat_request import ChatRequest
from services.gateway.inference.domain.split_plan import RequestTraits, SplitPlan
from services.gateway.inference.ports import WeightsOnDemand
from services.gateway.inference.service.replica_attempt import ReplicaAttempt
from services.gateway.inference.service.served_answer import ServedAnswer
from services.gateway.inference.service.shadow import ShadowTraffic
from services.gateway.inference.service.split_plans import SplitPlans
from services.gateway.inference.service.target_resolver import TargetResolver
from services.gateway.serving.domain.catalog import Target
from services.gateway.serving.domain.fleet import Fleet
from services.gateway.serving.service.adapter_loader import FAILURES
from shared.security import Key

_NO_HEADERS: Mapping[bytes, bytes] = {}
# The first replica, and one more try on another or the same.
TRIES = 2
# The longest wait for an engine whose weights are being replaced, and the pause between two checks.
LONGEST_WAIT_S = 60.0
CHECK_S = 0.01


@dataclass(frozen=True)
class Inference:
    """The use case of API clients. At most `max_in_flight` requests are answered at once."""

    resolver: TargetResolver
    requests: ReplicaAttempt
    splits: SplitPlans
    shadow: ShadowTraffic
    fleet: Fleet
    on_demand: WeightsOnDemand
    ledger: UsageLedger
    max_in_flight: int

    async def chat(self, request: ChatRequest, key: Key, headers: Mapping[bytes, bytes] = _NO_HEADERS) -> ServedAnswer:
        """Ask the version that the name means now for this key; raises an `ApiError`."""
        permit = await self.ledger.admit(key, request.prompt_tokens + request.answer_tokens)
        try:
            served = await self._route(request, key, headers)
        except BaseException:
            permit.cancel()
            raise
        served.admitted(permit, request.prompt_tokens)
        return served

    async def _route(self, request: ChatRequest, key: Key, headers: Mapping[bytes, bytes]) -> ServedAnswer:
        if (plan := self.splits.plans.get(request.model)) is not None:
            return await self._split(plan, request, RequestTraits(key.id, request.user, headers))
        return await self._answer(await self.resolver.resolve(request.model, key), request)

    async def _split(self, plan: SplitPlan, request: ChatRequest, traits: RequestTraits) -> ServedAnswer:
        choice = plan.choose(traits, getrandbits(64))
        # A share of the requests must not fail because its version is not loaded yet, or no longer.
        held = self.fleet.holds(choice.target.base, choice.target.loaded)
        target = choice.target if held else plan.current
        served = await self.shadow.watch(plan.alias, target.version, self._answer(target, request))
        if choice.shadow:
            self.shadow.copy(plan.alias, choice.shadow, request, served)
        return served

    async def _answer(self, target: Target, request: ChatRequest) -> ServedAnswer:
        if self.fleet.in_flight >= self.max_in_flight:
            raise Busy("Too many requests are being answered; try again shortly.", code="rate_limit_exceeded")
        served = await self._try_replicas(target, request)
        if served is None and self._is_being_swapped_in(target):
            served = await self._answer_after_swap(target, request)
        if served is None:
            raise NoReplica(f"No engine can answer for {request.model!r} now.", code="service_unavailable")
        return served

    async def _answer_after_swap(self, target: Target, request: ChatRequest) -> ServedAnswer | None:
        """Wait for engines whose weights are being replaced; by then the name may mean another version."""
        self.fleet.waiting += 1
        try:
            async with asyncio.timeout(LONGEST_WAIT_S):
                while self._is_being_swapped_in(target):
                    await asyncio.sleep(CHECK_S)
                    target = self.resolver.directory.catalog.find(request.model) or target
                    if self.fleet.serving(target.base, target.loaded):
                        return await self._try_replicas(target, request)
        except TimeoutError:
            pass
        finally:
            self.fleet.waiting -= 1
        return None

    def _is_being_swapped_in(self, target: Target) -> bool:
        """Whether engines of a dedicated pool are about to hold these weights."""
        made = target.candidate
        if made is None or made.suffix is None or not self.fleet.has_dedicated(target.base, made.suffix):
            return False
        meant = self.resolver.directory.catalog.find(made.suffix)
        return meant is not None and meant.loaded == target.loaded and bool(self.fleet.up(target.base, made.suffix))

    async def _try_replicas(self, target: Target, request: ChatRequest) -> ServedAnswer | None:
        await self._make_available(target)
        tried: list[str] = []
        while len(tried) < TRIES and (able := self.fleet.serving(target.base, target.loaded)):
            replica = next((r for r in able if r.url not in tried), able[0])
            tried.append(replica.url)
            if served := await self.requests.send(replica, target, request):
                return served
            if len(tried) < TRIES and target.loaded not in replica.loaded:
                # The engine has lost the version, for example because another gateway unloaded it.
                await self._make_available(target)
        return None

    async def _make_available(self, target: Target) -> None:
        if target.candidate is None or self._is_being_swapped_in(target):
            return
        try:
            await self.on_demand.make_available(target.candidate)
        except FAILURES as error:
            raise NoReplica(f"{target.public!r} cannot be loaded now: {error}", code="model_not_loaded") from None
