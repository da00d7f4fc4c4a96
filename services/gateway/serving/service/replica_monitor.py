"""Observes replicas: whether each answers, and which versions it still holds."""

import time
from collections.abc import Collection
from dataclasses import dataclass

from services.gateway.common.domain.model_names import LOADED_PREFIX
from services.gateway.serving.domain.replica import Replica
from services.gateway.serving.ports import Engine, EngineError, EngineGone, EngineUnreachable
from shared import telemetry

_log = telemetry.logger(__name__)


@dataclass(frozen=True)
class ReplicaMonitor:
    """Updates what is known of a replica. An engine proves every `probe_s` seconds that it answers one token."""

    engine: Engine
    probe_s: float

    async def look(self, replica: Replica) -> None:
        """Update a replica's state; an error of any kind marks this replica down and concerns no other."""
        if time.monotonic() < replica.rests_until or replica.closed or replica.barred:
            return
        try:
            await self._look(replica)
        except EngineError as error:
            replica.failed_probe(str(error), time.monotonic())
        except EngineGone as error:
            replica.mark_down(str(error))
        except EngineUnreachable as error:
            replica.missed_check(str(error))
        except Exception as error:
            _log.warning("unexpected answer of an engine", replica=replica.url, exc_info=error)
            replica.failed_probe(f"{replica.url}: {type(error).__name__}: {error}", time.monotonic())

    async def adopt(self, replica: Replica, wanted: Collection[str]) -> None:
        """Use the versions in `wanted` that another gateway loaded; each answers one real request first."""
        if not replica.up or replica.alias:
            return
        try:
            listed = await self.engine.models(replica.url)
            for name in sorted((listed.keys() & set(wanted)) - replica.loaded):
                if name.startswith(LOADED_PREFIX):
                    await self.engine.probe(replica.url, name)
                    replica.loaded.add(name)
        except (EngineError, EngineUnreachable) as error:
            _log.warning("could not check the versions of an engine", replica=replica.url, error=str(error))

    async def _look(self, replica: Replica) -> None:
        names = await self.engine.models(replica.url)
        if replica.base not in names:
            replica.mark_down(f"serves {', '.join(sorted(names))[:200] or 'nothing'}, not {replica.base}")
            return
        replica.root = names[replica.base].root
        replica.context_length = names[replica.base].context_length
        # An engine can be dead while its API still lists models: only an answer counts.
        due = time.monotonic() - replica.answered_at >= self.probe_s
        if await self._note_weights(replica, names.keys()) and due:
            await self.engine.probe(replica.url, replica.base)
            replica.passed_probe(time.monotonic())
        replica.up = True

    async def _note_weights(self, replica: Replica, names: Collection[str]) -> bool:
        """Note what the replica holds; false while its weights are being replaced and it must not be probed."""
        if replica.alias is None:
            replica.forget_unlisted(names)
            return True
        closings = replica.closings
        weights = await self.engine.weights(replica.url)
        # Meanwhile this gateway may have begun or finished to replace its weights, and knows better.
        if replica.closings != closings:
            return False
        replica.holds(weights.marker if weights.sure else None)
        return not weights.paused
