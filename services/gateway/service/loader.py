"""Getting weights into a replica and seeing that it answers with them."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from services.gateway.domain.adapter import Base, check
from services.gateway.domain.fleet import Fleet, Replica
from services.gateway.domain.names import loaded_name
from services.gateway.ports import ArtifactStore, Engine, EngineError, EngineGone, EngineUnreachable, WeightFolders
from shared import telemetry
from shared.artifacts import ArtifactError
from shared.events import Candidate
from shared.throttle import Throttle, no_wait
from shared.weights.header import UnfitWeights

FAILURES = (EngineError, EngineUnreachable, ArtifactError, UnfitWeights, OSError)
_log = telemetry.logger(__name__)


@dataclass(frozen=True)
class Loader:
    """Looks at replicas and loads adapters; undeployed ones `on_demand` that were called, and as many ahead."""

    engine: Engine
    artifacts: ArtifactStore
    fleet: Fleet
    cache: Path
    probe_s: float
    on_demand: int
    folders: WeightFolders
    max_rank: int
    share: float
    """How much of a core checking weights takes."""
    lent: OrderedDict[str, Candidate] = field(default_factory=OrderedDict[str, Candidate])
    """What was loaded because somebody called it, the least recently used first."""
    awaited: OrderedDict[str, Candidate] = field(default_factory=OrderedDict[str, Candidate])
    """By its name in engines, what may be approved soon: it is loaded before, so that it serves as soon as it may."""
    locks: dict[tuple[str, str], asyncio.Lock] = field(default_factory=dict[tuple[str, str], asyncio.Lock])

    async def look(self, replica: Replica) -> None:
        """Note whether a replica answers, and what it no longer holds."""
        if time.monotonic() < replica.rests_until or replica.closed or replica.barred:
            return
        try:
            names = await self.engine.models(replica.url)
            if replica.base not in names:
                replica.went_down(f"serves {', '.join(sorted(names)) or 'nothing'}, not {replica.base}")
                return
            replica.root = names[replica.base]
            if not await self._answers_with_what_it_holds(replica, names.keys()):
                replica.up = True
                return
            # An engine can be dead while its API still lists models: only an answer counts.
            if time.monotonic() - replica.answered_at >= self.probe_s:
                await self.engine.probe(replica.url, replica.base)
                replica.passed_probe(time.monotonic())
        except EngineError as error:
            replica.failed_probe(str(error), time.monotonic())
        except EngineGone as error:
            replica.went_down(str(error))
        except EngineUnreachable as error:
            replica.was_silent(str(error))
        else:
            replica.up = True

    async def _answers_with_what_it_holds(self, replica: Replica, names: Collection[str]) -> bool:
        """Note what it holds; false where its weights are being replaced, so that nothing must be asked of it now."""
        if replica.alias is None:
            replica.lists(names)
            return True
        closings = replica.closings
        held = await self.engine.held(replica.url)
        # Meanwhile this gateway may have begun to replace its weights, or be done with it, and knows better.
        if replica.closings != closings:
            return False
        replica.holds(held.marker if held.sure else None)
        return not held.paused

    async def load(self, replica: Replica, candidate: Candidate) -> None:
        """Make a replica serve a checkpoint; raises one of `FAILURES`."""
        name = loaded_name(candidate)
        async with self.locks.setdefault((replica.url, name), asyncio.Lock()):
            if replica.serves(name):
                return
            folder = await asyncio.to_thread(self.checked, replica, candidate)
            await self.engine.load(replica.url, name, folder.resolve())
            await self.engine.probe(replica.url, name)
            replica.loaded.add(name)
            _log.info("adapter loaded", replica=replica.url, name=name)

    def fetched(self, candidate: Candidate) -> Path:
        """The artifact's folder, its digests checked; raises one of `FAILURES`."""
        try:
            # An adapter is soon read.
            wait = no_wait if candidate.tuning == "lora" else Throttle(self.share).wait
            return self.artifacts.fetch_folder(candidate.adapter, self.cache, wait)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise UnfitWeights(f"the artifact is no folder: its manifest cannot be read: {error!r:.200}") from None

    def checked(self, replica: Replica, candidate: Candidate) -> Path:
        """The adapter's folder, whole and fit for this engine: one that is not could end it for everybody."""
        if candidate.tuning != "lora":
            pool = f"{candidate.base_model}@{candidate.suffix}"
            raise UnfitWeights(f"{candidate.tuning} weights are a whole model and want a pool of their own: {pool!r}")
        folder = self.fetched(candidate)
        base = Base(frozenset({replica.base, replica.root}), self.folders.base(replica.root))
        check(self.folders.adapter(folder), base, self.max_rank)
        return folder

    async def lend(self, candidate: Candidate) -> None:
        """Load what no deployment keeps loaded on one replica, in place of what was not called for longest."""
        name, base = loaded_name(candidate), candidate.base_model
        self.lent[name] = candidate
        self.lent.move_to_end(name)
        while len(self.lent) > self.on_demand:
            self.lent.popitem(last=False)
        if not self.fleet.serving(base, name):
            up = sorted(self.fleet.up(base), key=lambda replica: replica.in_flight)
            if up:
                await self.load(up[0], candidate)

    def expect(self, job_id: str, candidates: Iterable[Candidate]) -> None:
        """Let the next rounds load what of a job may be approved soon, and nothing else of it; only the last few."""
        self.expect_no_more(job_id)
        self.awaited.update((loaded_name(made), made) for made in candidates if made.tuning == "lora")
        while len(self.awaited) > self.on_demand:
            self.awaited.popitem(last=False)

    def expect_no_more(self, job_id: str) -> None:
        """It was decided on: what is approved is loaded for that, what is rejected goes."""
        for name in [name for name, made in self.awaited.items() if made.job_id == job_id]:
            del self.awaited[name]

    async def load_awaited(self, replica: Replica) -> None:
        """Load ahead on a replica. What cannot be loaded is told when it was approved, and not before."""
        for name, candidate in list(self.awaited.items()):
            if replica not in self.fleet.bearing(candidate.base_model, candidate.suffix):
                continue
            try:
                await self.load(replica, candidate)
            except FAILURES as error:
                _log.warning("not loaded ahead", replica=replica.url, name=name, error=str(error))
                self.awaited.pop(name, None)

    async def retire(self, replica: Replica, wanted: set[str]) -> None:
        """Unload what this gateway loaded and is neither wanted, nor awaited, nor among the last called by name."""
        for name in sorted(replica.loaded - wanted - self.lent.keys() - self.awaited.keys()):
            # First no new request goes there; those under way keep the weights until they are answered.
            replica.loaded.discard(name)
            try:
                await self.engine.unload(replica.url, name)
            except (EngineError, EngineUnreachable) as error:
                _log.warning("not unloaded", replica=replica.url, name=name, error=str(error))
