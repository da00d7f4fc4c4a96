"""Rebuilds from this gateway's own facts what it serves: deployments, rollbacks, pools."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.gateway.serving.domain.deployment import MAX_REFUSALS, Deployment
from services.gateway.serving.domain.lineage import RollbackPin
from services.gateway.serving.domain.pool import Pool
from shared.events import ModelDeleted, ModelDeployed, ModelDeploymentFailed, ModelRolledBack, PoolChanged
from shared.store import Collection

Change = tuple[Deployment, list[Any]] | None


@dataclass(frozen=True)
class ServingRestoration:
    """One method for each fact; in an intact database each changes nothing."""

    deployments: Collection[Deployment]
    pins: Collection[RollbackPin]
    pools: Collection[Pool]

    async def deployed(self, event: ModelDeployed, at: datetime) -> None:
        deployed_at = at.timestamp()
        approved_at = deployed_at - event.duration_s if event.approved_at is None else event.approved_at
        pending = Deployment(id=event.candidate.job_id, at=approved_at, candidate=event.candidate)

        def decide(known: Deployment) -> Change:
            # A deployment that was given up can be deployed after another approval; a deleted one cannot.
            if known.status in ("deployed", "deleted") and known.fact is not None:
                return None
            status = "deleted" if known.status == "deleted" else "deployed"
            changes = {"status": status, "deployed_at": deployed_at, "fact": event, "reason": None, "at": approved_at}
            return known.model_copy(update=changes), []

        await self.deployments.upsert(pending, decide)

    async def failed(self, event: ModelDeploymentFailed, at: datetime) -> None:
        """Only a permanent failure matters: after another one the deployment is tried again."""
        if not event.permanent:
            return
        given_up = Deployment(
            id=event.candidate.job_id,
            at=at.timestamp(),
            candidate=event.candidate,
            status="failed",
            reason=event.reason,
            attempts=event.attempt,
            refusals=MAX_REFUSALS,
            failure=event,
        )
        await self.deployments.create(given_up)

    async def deleted(self, event: ModelDeleted) -> None:
        def decide(known: Deployment) -> Change:
            return None if known.status == "deleted" else (known.model_copy(update={"status": "deleted"}), [])

        if await self.deployments.change(event.job_id, decide) is None:
            raise LookupError(f"the deployment of {event.job_id} is not restored yet")

    async def rolled_back(self, event: ModelRolledBack, time: datetime) -> None:
        at = time.timestamp() if event.at is None else event.at
        beyond = at if event.beyond is None else event.beyond
        pin = RollbackPin(id=event.alias, at=at, version=event.version, beyond=beyond)

        def decide(known: RollbackPin) -> tuple[RollbackPin, list[Any]] | None:
            return None if at <= known.at else (pin, [])

        if not await self.pins.create(pin):
            await self.pins.change(event.alias, decide)

    async def pool_changed(self, event: PoolChanged) -> None:
        state = Pool(
            id=event.pool,
            at=event.at,
            replicas=list(event.replicas),
            seed=None if event.seed is None else list(event.seed),
            removed=event.removed,
            context_length=event.context_length,
        )

        def decide(known: Pool) -> tuple[Pool, list[Any]] | None:
            return None if event.at <= known.at else (state, [])

        if not await self.pools.create(state):
            await self.pools.change(event.pool, decide)
