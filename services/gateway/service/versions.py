"""The versions of a stable name, and the way back to an earlier one."""

import asyncio
import time
from dataclasses import dataclass
from typing import Any

from services.gateway.domain.deployment import Deployment, current, lines
from services.gateway.domain.refusals import BadRequest, Missing, NoReplica, no_model
from services.gateway.domain.routing import Routing
from services.gateway.ports import AliasView, RouteView
from services.gateway.service.deployments import Deployments
from services.gateway.service.loader import FAILURES
from shared import telemetry
from shared.events import ModelRolledBack

_log = telemetry.logger(__name__)


@dataclass(frozen=True)
class Line:
    """What was deployed under an alias, the oldest first, and which of it the alias means now."""

    alias: str
    versions: list[Deployment]
    current: Deployment


@dataclass(frozen=True)
class Versions:
    """The use cases over a stable name's versions."""

    deployments: Deployments

    async def of(self, alias: str) -> Line:
        """All versions of an alias; raises `Missing`."""
        if alias in self.deployments.fleet.pools:
            raise no_model(alias)
        line = lines(await self.deployments.views.where(candidate__suffix=alias)).get(alias)
        if not line:
            raise no_model(alias)
        return Line(alias, list(line), current(line, await self.deployments.aliases.get(alias)))

    async def roll_back(self, alias: str, version: str | None, reason: str) -> ModelRolledBack:
        """Let an alias mean an earlier version, by default the one before; it holds until a newer one is approved.

        It moves when every replica that is up answers with that version. Asking for the version that it means already
        changes nothing. Raises `Missing`, `BadRequest` where there is none before, `NoReplica` where it cannot be
        loaded now.
        """
        line = await self.of(alias)
        target = _before(line) if version is None else _named(line, version)
        fact = ModelRolledBack(
            alias=alias,
            version=target.candidate.version,
            previous_version=line.current.candidate.version,
            reason=reason,
        )
        if fact.version != fact.previous_version:
            await self._load(target)
            await self._turn_back(fact, beyond=line.versions[-1].at)
            await self._end_routing(alias)
            await self.deployments.remember()
            self.deployments.changed.set()
            _log.info("rolled back", alias=alias, version=fact.version, previous=fact.previous_version, reason=reason)
        return fact

    async def _load(self, target: Deployment) -> None:
        loader, swaps, made = self.deployments.loader, self.deployments.swaps, target.candidate
        up = self.deployments.fleet.up(made.base_model, made.suffix)
        # The weights of engines that hold one version are replaced when the name moved: callers wait so long.
        load = swaps.prepare if self.deployments.fleet.has_own(made.base_model, made.suffix) else loader.load
        try:
            await asyncio.gather(*(load(replica, made) for replica in up))
        except FAILURES as error:
            raise NoReplica(
                f"{target.candidate.version} cannot be loaded now: {error}", code="model_not_loaded"
            ) from None
        if not up:
            raise NoReplica("No engine of this pool answers now.", code="service_unavailable")

    async def _end_routing(self, alias: str) -> None:
        """Whoever turns a name back wants no request answered by the version that he fled from."""
        now = time.time()

        def decide(route: RouteView) -> tuple[RouteView, list[Any]] | None:
            return (route.changed(Routing(), "rollback", now), []) if route.now.routing.versions() else None

        await self.deployments.routes.change(alias, decide)

    async def _turn_back(self, fact: ModelRolledBack, beyond: float) -> None:
        wish = AliasView(id=fact.alias, at=time.time(), version=fact.version, beyond=beyond)

        def decide(known: AliasView) -> tuple[AliasView, list[Any]] | None:
            # Asked twice at once, it is done and told once.
            return None if (known.version, known.beyond) == (wish.version, wish.beyond) else (wish, [fact])

        if not await self.deployments.aliases.create(wish, [fact]):
            await self.deployments.aliases.change(wish.id, decide)


def _before(line: Line) -> Deployment:
    earlier = line.versions[: line.versions.index(line.current)]
    # Two jobs may have made the same weights.
    other = [d for d in earlier if d.candidate.version != line.current.candidate.version]
    if not other:
        raise BadRequest(f"{line.alias!r} has no version before {line.current.candidate.version}.", code="no_earlier")
    return other[-1]


def _named(line: Line, version: str) -> Deployment:
    for deployment in reversed(line.versions):
        if deployment.candidate.version == version:
            return deployment
    raise Missing(f"{line.alias!r} has no version {version!r:.100}.", param="version", code="version_not_found")
