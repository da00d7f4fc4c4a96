"""Replaces the weights of a dedicated pool's engines, one engine at a time, by one gateway."""

import asyncio
import hashlib
import os
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from services.gateway.common.domain.model_names import loaded_name
from services.gateway.serving.domain.deployment import Deployment
from services.gateway.serving.domain.engine_weights import REPLACING, check_whole
from services.gateway.serving.domain.replica import Replica
from services.gateway.serving.service.adapter_loader import FAILURES, AdapterLoader
from services.gateway.serving.service.rollout_step import rollout_step
from services.gateway.serving.service.weight_leases import WeightLeases
from shared import telemetry
from shared.atomic_directory import boot_id, remove_at_once
from shared.events import Candidate
from shared.lease import LeaseLost

ReportOutcome = Callable[[Deployment, Replica, Exception | None], Awaitable[None]]
"""Reports the outcome for each engine: the error, or None when it answers with the version."""
# Another gateway may be about to load weights of which this one does not know yet that they are wanted. It may wait for
# running answers first.
UNUSED_S = 3600.0
_log = telemetry.logger(__name__)


@dataclass(frozen=True)
class WeightSwaps:
    """`merged` holds adapters that were merged into their base model."""

    loader: AdapterLoader
    leases: WeightLeases
    merged: Path
    tasks: dict[str, asyncio.Task[None]] = field(default_factory=dict[str, asyncio.Task[None]])
    """By pool. Swaps run beside the reconcile loop: an engine may need minutes to finish its answers."""

    def begin(self, pool: str, replicas: Sequence[Replica], deployment: Deployment, report: ReportOutcome) -> None:
        """Bring a pool's engines to a version; nothing happens where they hold it or a swap is running."""
        at_work = self.tasks.get(pool)
        behind = [replica for replica in replicas if replica.up and deployment.loaded_name not in replica.loaded]
        if behind and (at_work is None or at_work.done()):
            self.tasks[pool] = asyncio.create_task(self._bring(pool, behind, deployment, report))

    async def end(self) -> None:
        """Stop. The next process reads from each engine what it holds."""
        self.leases.end()
        for task in self.tasks.values():
            task.cancel()
        await asyncio.gather(*self.tasks.values(), return_exceptions=True)
        await self.loader.folders.close()

    async def prepare(self, replica: Replica, candidate: Candidate) -> Path:
        """The folder of a whole model that an engine can load; raises one of `FAILURES`."""
        if candidate.tuning == "lora":
            return await self._merged(replica, candidate)
        return await asyncio.to_thread(self._whole, replica, candidate)

    async def forget(self, wanted: Collection[str]) -> None:
        """Delete merged weights that no gateway has used for a while, of all versions but these."""
        if self.merged.exists() and not any(not task.done() for task in self.tasks.values()):
            await asyncio.to_thread(self._forget, wanted)

    async def _bring(self, pool: str, behind: Sequence[Replica], deployment: Deployment, report: ReportOutcome) -> None:
        try:
            await self._roll(pool, behind, deployment, report)
        except Exception as error:
            _log.warning("could not replace weights; will be retried", pool=pool, exc_info=error)

    async def _roll(self, pool: str, behind: Sequence[Replica], deployment: Deployment, report: ReportOutcome) -> None:
        for replica in behind:
            error: Exception | None = None
            try:
                if not await self.leases.take(pool, replica.url):
                    return
                with rollout_step("replace weights", deployment, replica):
                    await self.leases.during(pool, replica.url, self._replace(pool, replica, deployment.candidate))
            except LeaseLost as lost:
                _log.error("another gateway may replace these weights now", pool=pool, error=str(lost))
                await self.leases.let_go_engine(pool, replica.url)
                return
            except FAILURES as failure:
                error = failure
            await report(deployment, replica, error)
            await self.leases.let_go_engine(pool, replica.url)
            if error:
                break
        await self.leases.let_go(pool)

    async def _replace(self, pool: str, replica: Replica, candidate: Candidate) -> None:
        """Replace the weights so that no answer mixes two versions; an engine that fails half-way stays paused."""
        folder, name = await self.prepare(replica, candidate), loaded_name(candidate)
        engine, url, began_at = self.loader.engine, replica.url, time.monotonic()
        try:
            await self.leases.close(pool, replica)
            await engine.pause(url)
            whole = True
            try:
                # If they were deleted while answers went on, the engine goes on with the old ones.
                folder.stat()
                await engine.mark(url, REPLACING)
                whole = False
                await engine.reload(url, folder)
                await engine.mark(url, name)
                whole = True
            finally:
                if whole:
                    await engine.resume(url)
            await engine.probe(url, replica.base)
            replica.holds(name)
        finally:
            replica.closed = False
        _log.info("weights replaced", replica=url, name=name, duration_s=round(time.monotonic() - began_at, 3))

    async def _merged(self, replica: Replica, candidate: Candidate) -> Path:
        adapter = await asyncio.to_thread(self.loader.checked, replica, candidate)
        base = hashlib.sha256(replica.root.encode()).hexdigest()[:8]
        target = (self.merged / f"{loaded_name(candidate)}.{base}.{boot_id()}").resolve()
        async with self.loader.locks.setdefault((str(target), ""), asyncio.Lock()):
            if not _used(target):
                await self.loader.folders.merge(replica.root, adapter, target)
        return target

    def _whole(self, replica: Replica, candidate: Candidate) -> Path:
        folder = self.loader.fetched(candidate)
        folders = self.loader.folders
        check_whole(folders.whole(folder), folders.base(replica.root))
        return folder.resolve()

    def _forget(self, wanted: Collection[str]) -> None:
        before = time.time() - UNUSED_S
        for folder in self.merged.iterdir():
            version, *of_gateway = folder.name.rsplit(".", 2)
            # Evaluators keep theirs in the same folder; their names have no dots.
            if of_gateway and not version.startswith(".") and version not in wanted:
                remove_at_once(folder, before)


def _used(folder: Path) -> bool:
    """Note that a folder is used now; false if it is not there."""
    try:
        os.utime(folder)
    except FileNotFoundError:
        return False
    except PermissionError:
        # Another user's gateway made it.
        return folder.exists()
    return True
