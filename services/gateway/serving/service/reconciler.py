"""The reconcile loop: makes what the engines hold equal to what the deployments want."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from services.gateway.serving.domain.deployment import Deployment, backoff_s
from services.gateway.serving.domain.fleet import Fleet
from services.gateway.serving.domain.lineage import due
from services.gateway.serving.domain.replica import Replica
from services.gateway.serving.service.adapter_loader import FAILURES, AdapterLoader
from services.gateway.serving.service.deployments import Deployments
from services.gateway.serving.service.directory import Directory
from services.gateway.serving.service.pools import Pools
from services.gateway.serving.service.replica_monitor import ReplicaMonitor
from services.gateway.serving.service.rollout_step import rollout_step
from services.gateway.serving.service.weight_swaps import WeightSwaps
from shared import telemetry

_log = telemetry.logger(__name__)


@dataclass(frozen=True)
class Reconciler:
    """Compares and repairs every `every_s` seconds, and at once when `changed` is set.

    Replicas, pools and deployments are handled one by one: an error of one is logged and holds up no other.
    """

    deployments: Deployments
    directory: Directory
    pools: Pools
    fleet: Fleet
    monitor: ReplicaMonitor
    loader: AdapterLoader
    swaps: WeightSwaps
    changed: asyncio.Event
    every_s: float
    retries: dict[tuple[str, str], tuple[int, float]] = field(default_factory=dict[tuple[str, str], tuple[int, float]])
    """Failures and the time of the next try, by replica and name."""
    context_lengths: dict[str, int] = field(default_factory=dict[str, int])
    """What was published last, by pool."""
    errors: dict[str, dict[str, Exception]] = field(default_factory=dict[str, dict[str, Exception]])
    """The last error of each replica that could not load a version, by deployment and URL."""

    async def run(self) -> None:
        """Compare and repair until cancelled."""
        while True:
            self.changed.clear()
            try:
                await self.reconcile()
                await self.deployments.report_outcomes()
            except Exception as error:
                _log.warning("could not compare wanted with actual deployments; will be retried", exc_info=error)
            try:
                # Not wait_for: in Python 3.11 it drops a cancellation that comes with the result.
                async with asyncio.timeout(self.every_s):
                    await self.changed.wait()
            except TimeoutError:
                continue

    async def reconcile(self) -> None:
        """One round: look at every replica, load what is missing, move the names, unload what is old."""
        await self.pools.arrange()
        chosen = await self.directory.refresh()
        for deployment in chosen:
            self.loader.cancel_preload(deployment.id)
        await self.swaps.leases.look_around(self.fleet)
        await asyncio.gather(*(self._repair(replica, chosen) for replica in self.fleet.replicas))
        await self._note_context_lengths()
        self._replace_weights(chosen)
        for deployment in chosen:
            if deployment.status == "pending":
                await self._conclude(deployment)
        # What is wanted may have changed since the round began.
        wanted = self.directory.wanted_names
        await asyncio.gather(*(self.loader.retire(r, wanted) for r in self.fleet.replicas if r.alias is None))
        await self.swaps.forget(wanted())

    async def _note_context_lengths(self) -> None:
        """Publish what the engines take as soon as one of them says so: rows that are longer must not be trained."""
        for pool_id, tokens in self.fleet.context_lengths().items():
            if self.context_lengths.get(pool_id) != tokens:
                await self.pools.note_context_length(pool_id, tokens)
                self.context_lengths[pool_id] = tokens

    async def _repair(self, replica: Replica, chosen: Sequence[Deployment]) -> None:
        await self.monitor.look(replica)
        if not replica.up or replica.alias:
            return
        # Versions in use come before versions that wait.
        for deployment in sorted(chosen, key=lambda d: (d.status == "pending", d.at)):
            made = deployment.candidate
            here = replica in self.fleet.replicas_for(made.base_model, made.suffix)
            if here and not replica.serves(deployment.loaded_name) and self._may_try(replica, deployment):
                await self._load(replica, deployment)
        await self.loader.load_preloads(replica)

    def _may_try(self, replica: Replica, deployment: Deployment) -> bool:
        _, next_try_at = self.retries.get((replica.url, deployment.loaded_name), (0, 0.0))
        return time.time() >= max(next_try_at, deployment.next_try_at)

    async def _load(self, replica: Replica, deployment: Deployment) -> None:
        error: Exception | None = None
        try:
            with rollout_step("load adapter", deployment, replica):
                await self.loader.load(replica, deployment.candidate)
        except FAILURES as failure:
            error = failure
        except Exception as failure:
            _log.error("loading failed unexpectedly", replica=replica.url, exc_info=failure)
            error = failure
        self._note_attempt(deployment, replica, error)

    def _replace_weights(self, chosen: Sequence[Deployment]) -> None:
        """Let engines of a dedicated pool hold the version that its name should mean."""
        for (base, alias), replicas in self.fleet.dedicated().items():
            of_base = [deployment for deployment in chosen if deployment.candidate.base_model == base]
            deployment = due(of_base, alias, self.directory.pins.get(alias), time.time())
            if deployment:
                ready = [replica for replica in replicas if self._may_try(replica, deployment)]
                self.swaps.begin(f"{base}@{alias}", ready, deployment, self._swapped)

    async def _swapped(self, deployment: Deployment, replica: Replica, error: Exception | None) -> None:
        self._note_attempt(deployment, replica, error)
        # The names move now, or the old weights come back.
        self.changed.set()

    def _note_attempt(self, deployment: Deployment, replica: Replica, error: Exception | None) -> None:
        key, errors = (replica.url, deployment.loaded_name), self.errors.setdefault(deployment.id, {})
        if error is None:
            self.retries.pop(key, None)
            errors.pop(replica.url, None)
            return
        attempts = self.retries.get(key, (0, 0.0))[0] + 1
        self.retries[key] = (attempts, time.time() + backoff_s(attempts))
        if deployment.status == "pending":
            errors[replica.url] = error
        _log.warning("version not loaded", replica=replica.url, name=deployment.loaded_name, error=str(error))

    async def _conclude(self, deployment: Deployment) -> None:
        """Deploy a version that half of the replicas hold, or record that so many cannot hold it now."""
        made = deployment.candidate
        if made.base_model not in self.fleet.pools:
            error = LookupError(f"no pool serves {made.base_model!r}")
            await self.deployments.fail(deployment, {"": error}, "absent")
            return
        up = self.fleet.up(made.base_model, made.suffix)
        serving = [replica for replica in up if replica.serves(deployment.loaded_name)]
        errors = {r.url: e for r in up if r not in serving and (e := self.errors.get(deployment.id, {}).get(r.url))}
        untried = len(up) - len(serving) - len(errors)
        # Adapters load on all replicas in one round; a dedicated pool swaps one replica after another.
        waits = untried > 0 and not self.fleet.has_dedicated(made.base_model, made.suffix)
        if serving and 2 * len(serving) >= len(up) and not waits:
            missing = {url: str(error) for url, error in errors.items()}
            await self.deployments.finish(deployment, len(serving), missing)
        elif errors and 2 * (len(serving) + untried) < len(up):
            await self.deployments.fail(deployment, errors)
        else:
            return
        self.errors.pop(deployment.id, None)
        await self.directory.refresh()
