"""Loads LoRA adapters into replicas and checks that they answer with them."""

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from services.gateway.common.domain.model_names import loaded_name
from services.gateway.serving.domain.fleet import Fleet
from services.gateway.serving.domain.lora_adapter import Base, check
from services.gateway.serving.domain.replica import Replica
from services.gateway.serving.ports import Engine, EngineError, EngineUnreachable, WeightFolders
from shared import telemetry
from shared.artifacts import ArtifactError, Artifacts
from shared.events import Candidate
from shared.throttle import Throttle, no_wait
from shared.weights.header import UnfitWeights

FAILURES = (EngineError, EngineUnreachable, ArtifactError, UnfitWeights, OSError)
_log = telemetry.logger(__name__)


@dataclass(frozen=True)
class AdapterLoader:
    """Loads deployed versions, up to `max_on_demand` called checkpoints, and as many that may be approved soon."""

    engine: Engine
    artifacts: Artifacts
    fleet: Fleet
    cache: Path
    max_on_demand: int
    folders: WeightFolders
    max_rank: int
    share: float
    """The share of a core that checking weights takes."""
    on_demand: OrderedDict[str, Candidate] = field(default_factory=OrderedDict[str, Candidate])
    """Checkpoints loaded because a request named them, the least recently used first."""
    preloads: OrderedDict[str, Candidate] = field(default_factory=OrderedDict[str, Candidate])
    """Checkpoints that may be approved soon, by their name in engines: loaded now, they serve at once then."""
    held: Counter[str] = field(default_factory=Counter[str])
    """Names in engines of versions that are about to be wanted."""
    locks: dict[tuple[str, str], asyncio.Lock] = field(default_factory=dict[tuple[str, str], asyncio.Lock])

    async def load(self, replica: Replica, candidate: Candidate) -> None:
        """Make a replica serve a checkpoint; raises one of `FAILURES`."""
        name = loaded_name(candidate)
        async with self._lock(replica, name):
            if replica.serves(name):
                return
            folder = await asyncio.to_thread(self.checked, replica, candidate)
            await self.engine.load(replica.url, name, folder.resolve())
            await self.engine.probe(replica.url, name)
            replica.loaded.add(name)
            _log.info("adapter loaded", replica=replica.url, name=name)

    def fetched(self, candidate: Candidate) -> Path:
        """The artifact's folder with its digests checked; raises one of `FAILURES`."""
        try:
            # An adapter is small: reading it needs no throttle.
            wait = no_wait if candidate.tuning == "lora" else Throttle(self.share).wait
            return self.artifacts.fetch_folder(candidate.adapter, self.cache, wait)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise UnfitWeights(f"the artifact is not a folder: its manifest cannot be read: {error!r:.200}") from None

    def checked(self, replica: Replica, candidate: Candidate) -> Path:
        """The folder of an adapter that fits this engine: a damaged one could end the engine for every caller."""
        if candidate.tuning != "lora":
            pool = f"{candidate.base_model}@{candidate.suffix}"
            raise UnfitWeights(f"{candidate.tuning} weights are a whole model and need a pool of their own: {pool!r}")
        folder = self.fetched(candidate)
        base = Base(frozenset({replica.base, replica.root}), self.folders.base(replica.root))
        check(self.folders.adapter(folder), base, self.max_rank)
        return folder

    async def make_available(self, candidate: Candidate) -> None:
        """Load a checkpoint that no deployment keeps loaded on one replica, in place of the least recently used one."""
        name, base = loaded_name(candidate), candidate.base_model
        if name not in self.on_demand and self.fleet.holds(base, name):
            return
        self.on_demand[name] = candidate
        self.on_demand.move_to_end(name)
        while len(self.on_demand) > self.max_on_demand:
            self.on_demand.popitem(last=False)
        if not self.fleet.serving(base, name):
            up = sorted(self.fleet.up(base), key=lambda replica: replica.in_flight)
            if up:
                await self.load(up[0], candidate)

    def preload(self, job_id: str, candidates: Iterable[Candidate]) -> None:
        """Let the next rounds load the checkpoints of a job that may be approved soon, in place of its earlier ones."""
        self.cancel_preload(job_id)
        self.preloads.update((loaded_name(made), made) for made in candidates if made.tuning == "lora")
        while len(self.preloads) > self.max_on_demand:
            self.preloads.popitem(last=False)

    def cancel_preload(self, job_id: str) -> None:
        """The job was decided: an approved checkpoint is loaded as a deployment, a rejected one is unloaded."""
        for name in [name for name, made in self.preloads.items() if made.job_id == job_id]:
            del self.preloads[name]

    async def load_preloads(self, replica: Replica) -> None:
        """Preload on a replica. A failure is only logged; it is reported when the checkpoint is approved."""
        for name, candidate in list(self.preloads.items()):
            if replica not in self.fleet.replicas_for(candidate.base_model, candidate.suffix):
                continue
            try:
                await self.load(replica, candidate)
            except FAILURES as error:
                _log.warning("not preloaded", replica=replica.url, name=name, error=str(error))
                self.preloads.pop(name, None)

    @contextmanager
    def holding(self, candidate: Candidate) -> Generator[None]:
        """A block in which a version is loaded that nothing wants yet: it stays where it is loaded already."""
        name = loaded_name(candidate)
        self.held[name] += 1
        try:
            yield
        finally:
            self.held[name] -= 1
            if not self.held[name]:
                del self.held[name]

    async def retire(self, replica: Replica, wanted: Callable[[], set[str]]) -> None:
        """Unload what this gateway loaded and nothing needs any more; `wanted` tells the names as of now."""
        for name in sorted(self._unneeded(replica, wanted())):
            # A request for it that comes meanwhile loads it again afterwards.
            async with self._lock(replica, name):
                if name in self._unneeded(replica, wanted()):
                    await self._unload(replica, name)

    def _unneeded(self, replica: Replica, wanted: set[str]) -> set[str]:
        return replica.loaded - wanted - self.on_demand.keys() - self.preloads.keys() - self.held.keys()

    async def _unload(self, replica: Replica, name: str) -> None:
        # New requests stop going there first; running ones keep the weights until they are answered.
        replica.loaded.discard(name)
        try:
            await self.engine.unload(replica.url, name)
        except (EngineError, EngineUnreachable) as error:
            _log.warning("not unloaded", replica=replica.url, name=name, error=str(error))

    def _lock(self, replica: Replica, name: str) -> asyncio.Lock:
        return self.locks.setdefault((replica.url, name), asyncio.Lock())
