"""Resolves the `model` of a request to the weights that answer it."""

from dataclasses import dataclass

from services.gateway.common.domain.errors import NotPermitted, no_model
from services.gateway.common.domain.model_names import loaded_name
from services.gateway.fine_tuning.domain.checkpoint import Checkpoint
from services.gateway.fine_tuning.domain.job import Job
from services.gateway.fine_tuning.service.checkpoint_permissions import CheckpointPermissions
from services.gateway.serving.domain.catalog import Target
from services.gateway.serving.domain.fleet import Fleet
from services.gateway.serving.service.directory import Directory
from shared.security import Key
from shared.store import Collection


@dataclass(frozen=True)
class TargetResolver:
    """Names of the catalog are for everybody; checkpoints only for their owners and permitted keys."""

    directory: Directory
    fleet: Fleet
    jobs: Collection[Job]
    checkpoints: Collection[Checkpoint]
    permissions: CheckpointPermissions

    async def resolve(self, name: str, key: Key) -> Target:
        """What a name means for this key; raises `Missing`, or `NotPermitted` for the key's own unapproved model."""
        return self.directory.catalog.find(name) or await self._checkpoint(name, key)

    async def _checkpoint(self, name: str, key: Key) -> Target:
        for found in await self.checkpoints.find(model_name=name, saved=True):
            made = found.candidate
            if await self.permissions.may_call(made, key) and made.base_model in self.fleet.pools:
                return Target(name, made.base_model, loaded_name(made), made.version, made)
        for job in await self.jobs.find(fine_tuned_model=name, status="succeeded"):
            # A model that was deployed and is no longer in the catalog was deleted.
            if key.owns(job.owner) and not job.deployed:
                state = "was not approved" if job.rejected else "is not approved yet"
                raise NotPermitted(f"The model {job.model!r} {state}.", param="model", code="model_not_approved")
        raise no_model(name)
