"""Deployments: what should be loaded is kept, what is loaded is observed, a loop makes the second like the first."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from services.gateway.domain import messages
from services.gateway.domain.checkpoint import promising
from services.gateway.domain.deployment import (
    Alias,
    Catalog,
    Cause,
    Deployment,
    backoff_s,
    due,
    failed_attempt,
    wanted,
)
from services.gateway.domain.fleet import Fleet, Replica
from services.gateway.domain.routing import Plan, plans
from services.gateway.ports import AliasView, DeploymentView, EngineError, JobView, RouteView, Views
from services.gateway.service.history import History
from services.gateway.service.loader import FAILURES, Loader
from services.gateway.service.pools import Pools
from services.gateway.service.swaps import Swaps
from shared import telemetry
from shared.artifacts import ArtifactError
from shared.events import (
    CheckpointSaved,
    ModelApproved,
    ModelDeployed,
    ModelDeploymentFailed,
    ModelRejected,
    ReviewOpened,
    TrainingFinished,
)
from shared.weights.header import UnfitWeights

_log = telemetry.logger(__name__)


@dataclass
class Directory:
    """The public names, and how their requests are shared out, as of the last look at what is kept."""

    catalog: Catalog
    turned_back: Mapping[str, Alias] = field(default_factory=dict[str, Alias])
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
    swaps: Swaps
    directory: Directory
    keep: int
    every_s: float
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    retries: dict[tuple[str, str], tuple[int, float]] = field(default_factory=dict[tuple[str, str], tuple[int, float]])
    """Failures and the next try, by replica and name, of versions that were deployed before."""

    async def saved(self, event: CheckpointSaved) -> None:
        """Of a job that was heard to have trained too, as events come in any order."""
        await self.history.checkpoint_saved(event)
        await self._expect(event.candidate.job_id)

    async def trained(self, event: TrainingFinished) -> None:
        """Have ready in the engines what rules may approve when the last scores are there; no name means it yet."""
        await self.history.finished(event)
        await self._expect(event.job_id)

    async def _expect(self, job_id: str) -> None:
        job = await self.jobs.get(job_id)
        if job and not job.over and job.finished and job.finished.status == "succeeded":
            made = await self.history.checkpoints.where(job_id=job_id, saved=True)
            self.loader.expect(job_id, promising(made, job.finished))
            self.changed.set()

    async def reviewed(self, event: ReviewOpened) -> None:
        """Have ready what people look at."""
        await self.history.review_opened(event)
        self.loader.expect(event.candidate.job_id, [event.candidate])
        self.changed.set()

    async def rejected(self, event: ModelRejected) -> None:
        """What was loaded ahead goes."""
        await self.history.rejected(event)
        self.loader.expect_no_more(event.job_id)
        self.changed.set()

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
        self.directory.turned_back = {alias.id: alias for alias in aliases}
        for deployment in kept:
            self.loader.expect_no_more(deployment.id)
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
        await self.swaps.leases.look_around(self.fleet)
        await asyncio.gather(*(self._repair(replica, chosen) for replica in self.fleet.replicas))
        self._replace_weights(chosen)
        for deployment in chosen:
            if deployment.status == "pending":
                await self._finish(deployment)
        names = {deployment.loaded_name for deployment in chosen}
        await asyncio.gather(*(self.loader.retire(r, names) for r in self.fleet.replicas if r.alias is None))
        await self.swaps.forget(names)

    async def _repair(self, replica: Replica, chosen: Sequence[Deployment]) -> None:
        await self.loader.look(replica)
        if not replica.up or replica.alias:
            return
        # What callers use now comes before what they wait for.
        for deployment in sorted(chosen, key=lambda d: (d.status == "pending", d.at)):
            made = deployment.candidate
            here = replica in self.fleet.bearing(made.base_model, made.suffix)
            if here and not replica.serves(deployment.loaded_name) and self._may_try(replica, deployment):
                await self._load(replica, deployment)
        await self.loader.load_awaited(replica)

    def _may_try(self, replica: Replica, deployment: Deployment) -> bool:
        _, next_try_at = self.retries.get((replica.url, deployment.loaded_name), (0, 0.0))
        return time.time() >= max(next_try_at, deployment.next_try_at)

    async def _load(self, replica: Replica, deployment: Deployment) -> None:
        error: Exception | None = None
        try:
            await self.loader.load(replica, deployment.candidate)
        except FAILURES as failure:
            error = failure
        await self._tried(deployment, replica, error)

    def _replace_weights(self, chosen: Sequence[Deployment]) -> None:
        """Let engines that are for one alias hold what it should mean; the alias follows when enough of them do."""
        for (base, alias), replicas in self.fleet.own().items():
            of_base = [deployment for deployment in chosen if deployment.candidate.base_model == base]
            deployment = due(of_base, alias, self.directory.turned_back.get(alias), time.time())
            if deployment:
                ready = [replica for replica in replicas if self._may_try(replica, deployment)]
                self.swaps.begin(f"{base}@{alias}", ready, deployment, self._swapped)

    async def _swapped(self, deployment: Deployment, replica: Replica, error: Exception | None) -> None:
        await self._tried(deployment, replica, error)
        # The names move now, or the old weights come back.
        self.changed.set()

    async def _tried(self, deployment: Deployment, replica: Replica, error: Exception | None) -> None:
        key = (replica.url, deployment.loaded_name)
        if error is None:
            self.retries.pop(key, None)
            return
        attempts = self.retries.get(key, (0, 0.0))[0] + 1
        self.retries[key] = (attempts, time.time() + backoff_s(attempts))
        _log.warning("version not loaded", replica=replica.url, name=deployment.loaded_name, error=str(error))
        await self._note_failure(deployment, str(error) or type(error).__name__, replica.url, _cause(error))

    async def _finish(self, deployment: Deployment) -> None:
        """The names move when every replica that is up answers with the new version.

        Of engines that hold one version at a time half are enough, so that there are always some to ask.
        """
        if deployment.candidate.base_model not in self.fleet.pools:
            await self._note_failure(deployment, f"no pool serves {deployment.candidate.base_model!r}", None, "absent")
            return
        made = deployment.candidate
        up = self.fleet.up(made.base_model, made.suffix)
        serving = sum(replica.serves(deployment.loaded_name) for replica in up)
        share = 2 if self.fleet.has_own(made.base_model, made.suffix) else 1
        if not up or share * serving < len(up):
            return
        now = time.time()
        fact = ModelDeployed(
            candidate=deployment.candidate,
            alias=deployment.candidate.suffix,
            replicas=serving,
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
