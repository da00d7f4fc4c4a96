"""How an alias's requests are shared out: kept with its history, and followed by every gateway."""

import time
from dataclasses import dataclass

from services.gateway.domain import routing
from services.gateway.domain.routing import Revision, Routing
from services.gateway.ports import RouteView, Views
from services.gateway.service.versions import Versions
from shared import telemetry
from shared.security import Key

_log = telemetry.logger(__name__)


@dataclass(frozen=True)
class Routes:
    """The use cases over routings."""

    views: Views[RouteView]
    versions: Versions

    async def get(self, alias: str) -> RouteView:
        """An alias's routing, an empty one where none was ever set; raises `Missing`."""
        await self.versions.of(alias)
        return await self.views.get(alias) or _empty(alias)

    async def put(self, alias: str, wish: Routing, key: Key) -> RouteView:
        """Share an alias's requests out like this from now on; raises `Missing`, or `BadRequest` for its versions."""
        line = await self.versions.of(alias)
        routing.check(wish, line.versions, line.current)
        now = time.time()
        route = await self.views.settle(_empty(alias), lambda known: (known.changed(wish, key.id, now), []))
        _log.info("routing changed", alias=alias, number=route.now.number)
        await self.versions.deployments.remember()
        self.versions.deployments.changed.set()
        return route


def _empty(alias: str) -> RouteView:
    return RouteView(id=alias, now=Revision(number=0, at=0.0, by="", routing=Routing()))
