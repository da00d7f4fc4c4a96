"""Events about the versions that are served."""

from typing import ClassVar

from pydantic import Field

from shared.cloudevents import EventData
from shared.events.bounded_texts import Id, Reason, Uri
from shared.events.candidate import Candidate


class ModelDeployed(EventData):
    """A version is served and its alias points to it.

    `replicas` counts the engines that answer with it. The others follow.
    """

    type: ClassVar[str] = "model.deployed"
    candidate: Candidate
    alias: Id | None
    replicas: int
    duration_s: float
    approved_at: float | None = None
    """The time of the verdict, in Unix seconds, which orders the versions of an alias; None in older events."""

    def aggregate_id(self) -> str:
        return self.candidate.job_id

    def natural_key(self) -> str:
        return f"{self.candidate.job_id}/{self.candidate.version}"


class ModelDeploymentFailed(EventData):
    """An attempt to serve a version failed; the previous version is still served.

    `replica` is the engine's URL, None if no engine was reached. After a `permanent` failure there is no retry.
    """

    type: ClassVar[str] = "model.deployment_failed"
    candidate: Candidate
    reason: Reason
    replica: Uri | None
    attempt: int
    permanent: bool

    def aggregate_id(self) -> str:
        return self.candidate.job_id

    def natural_key(self) -> str:
        return f"{self.candidate.job_id}/{self.candidate.version}/{self.attempt}"


class ModelRolledBack(EventData):
    """An alias was rolled back to an earlier version."""

    type: ClassVar[str] = "model.rolled_back"
    alias: Id
    version: Id
    previous_version: Id
    reason: Reason
    beyond: float | None = None
    """The rollback holds until a version that was approved later than this is deployed, in Unix seconds."""
    at: float | None = None

    def aggregate_id(self) -> str:
        return self.alias

    def natural_key(self) -> None:
        return None


class ModelDeleted(EventData):
    """The fine-tuned model of a job was deleted: its name answers no longer. Its checkpoints stay."""

    type: ClassVar[str] = "model.deleted"
    job_id: Id
    version: Id
    author: Id
    at: float = Field(ge=0)

    def aggregate_id(self) -> str:
        return self.job_id
