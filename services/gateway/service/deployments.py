"""Deployments: what should be loaded is kept, what is loaded is observed, a loop makes the second like the first."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from services.gateway.domain import messages
from services.gateway.domain.deployment import Catalog, Cause, Deployment, backoff_s, failed_attempt, wanted
from services.gateway.domain.fleet import Fleet, Replica
from services.gateway.domain.routing import Plan, plans
from services.gateway.domain.weights import UnfitWeights
from services.gateway.ports import AliasView, DeploymentView, EngineError, JobView, RouteView, Views
from services.gateway.service.history import History
from services.gateway.service.loader import FAILURES, Loader
from services.gateway.service.pools import Pools
from shared import telemetry
from shared.artifacts import ArtifactError
from shared.events import ModelApproved, ModelDeployed, ModelDeploymentFailed

_log = telemetry.logger(__name__)


@dataclass
class Directory:
    """The public names, and how their requests are shared out, as of the last look at what is kept."""

    catalog: Catalog
    plans: Mapping[str, Plan] = field(default_factory=dict[str, Plan])


@dataclass(frozen=True)
class Deployments:
    """Keeps engines and names as the approvals want them. `keep` versions of each alias stay loaded."""

    views: Views[DeploymentView]
    aliases: Views[AliasView]
    routes: Views[RouteView]
    jobs: Views[JobView]
    history: History
    pools: Pools
    fleet: Fleet
    loader: Loader
    directory: Directory
    keep: int
    every_s: float
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    retries: dict[tuple[str, str], tuple[int, float]] = field(default_factory=dict[tuple[str, str], tuple[int, float]])
    """Failures and the next try, by replica and name, of versions that were deployed before."""

    async def approved(self, event: ModelApproved) -> None:
        """Wish for a version to be served; the loop does the rest."""
        await self.history.approved(event)
        job = await self.jobs.get(event.candidate.job_id)
        if job and job.cancelled:
            _log.info("approved after it was cancelled; not deployed", job_id=job.id)
            return
        await self.views.create(DeploymentView(id=event.candidate.job_id, at=time.time(), candidate=event.candidate))
        self.changed.set()

    async def remember(self) -> list[Deployment]:
        """Let the names mean what is kept, before or after the engines were looked at; what engines should hold."""
        kept, aliases, routes = await self.views.where(), await self.aliases.where(), await self.routes.where()
        bases = tuple(self.fleet.pools)
        made, needed = plans(routes, kept, aliases, bases)
        self.directory.catalog, self.directory.plans = Catalog(bases, kept, aliases), made
        chosen = {deployment.id: deployment for deployment in (*wanted(kept, self.keep, aliases), *needed)}
        return list(chosen.values())

    async def run(self) -> None:
        """Compare and repair until cancelled."""
        while True:
            self.changed.clear()
            try:
                await self.reconcile()
                await self._tell_outcomes()
            except Exception as error:
                _log.warning("could not compare what is served with what should be", exc_info=error)
            try:
                await asyncio.wait_for(self.changed.wait(), self.every_s)
            except TimeoutError:
                continue

    async def reconcile(self) -> None:
        """One round: look at every replica, load what it lacks, move the names, unload what is old."""
        await self.pools.arrange()
        chosen = await self.remember()
        await asyncio.gather(*(self._repair(replica, chosen) for replica in self.fleet.replicas))
        for deployment in chosen:
            if deployment.status == "pending":
                await self._finish(deployment)
        names = {deployment.loaded_name for deployment in chosen}
        await asyncio.gather(*(self.loader.retire(replica, names) for replica in self.fleet.replicas))

    async def _repair(self, replica: Replica, chosen: Sequence[Deployment]) -> None:
        await self.loader.look(replica)
        if not replica.up:
            return
        # What callers use now comes before what they wait for.
        for deployment in sorted(chosen, key=lambda d: (d.status == "pending", d.at)):
            if deployment.candidate.base_model == replica.base and not replica.serves(deployment.loaded_name):
                await self._load(replica, deployment)

    async def _load(self, replica: Replica, deployment: Deployment) -> None:
        key = (replica.url, deployment.loaded_name)
        attempts, next_try_at = self.retries.get(key, (0, 0.0))
        if time.time() < max(next_try_at, deployment.next_try_at):
            return
        try:
            await self.loader.load(replica, deployment.candidate)
        except FAILURES as error:
            self.retries[key] = (attempts + 1, time.time() + backoff_s(attempts + 1))
            _log.warning("adapter not loaded", replica=replica.url, name=deployment.loaded_name, error=str(error))
            await self._note_failure(deployment, str(error) or type(error).__name__, replica.url, _cause(error))
            return
        self.retries.pop(key, None)

    async def _finish(self, deployment: Deployment) -> None:
        """The names move when every replica that is up answers with the new version."""
        if deployment.candidate.base_model not in self.fleet.pools:
            await self._note_failure(deployment, f"no pool serves {deployment.candidate.base_model!r}", None, "absent")
            return
        up = self.fleet.up(deployment.candidate.base_model)
        if not up or not all(replica.serves(deployment.loaded_name) for replica in up):
            return
        now = time.time()
        fact = ModelDeployed(
            candidate=deployment.candidate,
            alias=deployment.candidate.suffix,
            replicas=len(up),
            duration_s=round(now - deployment.at, 3),
        )

        def decide(view: DeploymentView) -> tuple[DeploymentView, list[ModelDeployed]] | None:
            if view.status != "pending":
                return None
            done = {"status": "deployed", "deployed_at": now, "fact": fact, "reason": None}
            return view.model_copy(update=done), [fact]

        await self.views.change(deployment.id, decide)
        await self.remember()
        _log.info("deployed", job_id=deployment.id, version=deployment.candidate.version, duration_s=fact.duration_s)

    async def _tell_outcomes(self) -> None:
        """Write finished deployments into their jobs: each once, also where a crash came between the two."""
        for deployment in await self.views.where(told=False):
            if deployment.status == "deployed" and deployment.fact:
                await self.history.deployed(deployment.fact)
            elif deployment.status == "failed" and deployment.failure:
                await self.history.not_deployed(deployment.failure)
            else:
                continue
            await self.views.change(deployment.id, lambda view: (view.model_copy(update={"told": True}), []))

    async def _note_failure(self, deployment: Deployment, reason: str, replica: str | None, cause: Cause) -> None:
        now = time.time()

        def decide(view: DeploymentView) -> tuple[DeploymentView, list[ModelDeploymentFailed]] | None:
            # Another replica's failure, or another gateway's, was this same attempt.
            if view.status != "pending" or view.attempts != deployment.attempts or now < view.next_try_at:
                return None
            failed = failed_attempt(view, reason, replica, cause, now)
            return failed, [failed.failure] if failed.failure else []

        changed = await self.views.change(deployment.id, decide)
        if changed and changed.failure and changed.attempts == deployment.attempts + 1:
            await self.history.jobs.tell(messages.not_deployed(changed.failure))


def _cause(error: Exception) -> Cause:
    if isinstance(error, UnfitWeights):
        return "unfit"
    return "refused" if isinstance(error, (EngineError, ArtifactError)) else "absent"
