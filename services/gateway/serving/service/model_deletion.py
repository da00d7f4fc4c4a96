"""Deletes fine-tuned models: the name is gone at once, and the reconciler unloads the weights."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

from services.gateway.common.domain.errors import BadRequest, Conflict, NotPermitted, no_model
from services.gateway.serving.domain.deployment import Deployment
from services.gateway.serving.domain.fleet import Fleet
from services.gateway.serving.domain.lineage import Lineages, RollbackPin, current
from services.gateway.serving.ports import TrafficPlans
from services.gateway.serving.service.directory import Directory
from shared import telemetry
from shared.events import ModelDeleted
from shared.security import Key
from shared.store import Collection

_log = telemetry.logger(__name__)


@dataclass(frozen=True)
class ModelDeletion:
    """The use case. Checkpoints stay: their owner can still call them by name and start jobs from them."""

    views: Collection[Deployment]
    pins: Collection[RollbackPin]
    splits: TrafficPlans
    directory: Directory
    fleet: Fleet
    changed: asyncio.Event

    async def delete(self, name: str, key: Key) -> None:
        """Delete the fine-tuned model with this name, which is not a stable name.

        Raises `Missing`, `NotPermitted` for base models and models of other keys, `Conflict` for a model in use.
        """
        if name in self.fleet.pools:
            message = f"{name!r} is a base model. An administrator removes it with its pool: DELETE /v1/pools/{name}."
            raise NotPermitted(message, code="base_model")
        known = await self.views.find()
        model = _find(name, known)
        if not key.owns(model.candidate.owner):
            raise NotPermitted(f"The model {name!r} belongs to another person.", param="model", code="not_the_owner")
        await self._check_unused(model, known)
        fact = ModelDeleted(job_id=model.id, version=model.candidate.version, author=key.id, at=time.time())
        await self.views.change(model.id, lambda known: (known.model_copy(update={"status": "deleted"}), [fact]))
        await self.directory.refresh()
        self.changed.set()
        _log.info("model deleted", model=name, version=model.candidate.version)

    async def _check_unused(self, model: Deployment, known: Sequence[Deployment]) -> None:
        alias = model.candidate.suffix
        if alias is None:
            return
        lineages, pins = Lineages(known), {pin.id: pin for pin in await self.pins.find()}
        if current(lineages.of(alias), pins.get(alias)).id == model.id:
            raise _in_use(
                f"The stable name {alias!r} means {model.model!r} now. Approve a newer version, or roll back"
                f" (POST /v1/models/{alias}/rollback), then delete it."
            )
        split = await self.splits.refresh(lineages, pins, tuple(self.fleet.pools))
        if any(used.id == model.id for used in split):
            raise _in_use(
                f"The traffic split of {alias!r} uses {model.model!r}. Change the split"
                f" (/v1/models/{alias}/routing), then delete it."
            )


def _find(name: str, known: Sequence[Deployment]) -> Deployment:
    deployed = [deployment for deployment in known if deployment.status == "deployed"]
    for deployment in deployed:
        if deployment.model == name:
            return deployment
    if any(deployment.candidate.suffix == name for deployment in deployed):
        message = f"{name!r} is a stable name. Delete its versions by their own names: GET /v1/models/{name}/versions."
        raise BadRequest(message, param="model", code="stable_name")
    raise no_model(name)


def _in_use(message: str) -> Conflict:
    return Conflict(message, param="model", code="model_in_use")
