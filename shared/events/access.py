"""Events about ownership, permissions, files and the audit log."""

from typing import Annotated, ClassVar

from pydantic import Field

from shared.bounds import MaxBytes
from shared.cloudevents import EventData
from shared.events.bounded_texts import Id, Label, Name


class AliasClaimed(EventData):
    """An alias belongs to the key that used it first."""

    type: ClassVar[str] = "alias.claimed"
    alias: Id
    owner: Id
    at: float = Field(ge=0)

    def aggregate_id(self) -> str:
        return self.alias


class AliasBound(EventData):
    """New jobs for an alias are judged by this policy; None for the policy that the job names."""

    type: ClassVar[str] = "alias.bound"
    alias: Id
    policy: Name | None
    author: Id
    at: float = Field(ge=0)

    def aggregate_id(self) -> str:
        return self.alias

    def natural_key(self) -> None:
        return None


class PermissionChanged(EventData):
    """A key may, or may no longer, call a checkpoint of another key."""

    type: ClassVar[str] = "permission.changed"
    permission_id: Id
    model: Name
    key_id: Id
    removed: bool = False
    author: Id = ""
    at: float = Field(ge=0)

    def aggregate_id(self) -> str:
        return self.permission_id

    def natural_key(self) -> None:
        return None


class FileDeleted(EventData):
    """A file and its content were deleted."""

    type: ClassVar[str] = "file.deleted"
    file_id: Id
    owner: Id
    author: Id
    at: float = Field(ge=0)

    def aggregate_id(self) -> str:
        return self.file_id


class AuditRecorded(EventData):
    """An authenticated request that could change something, whether it was allowed or not.

    `action` is the method and the path with the names of its parameters; `object_id` is the id in the path.
    """

    type: ClassVar[str] = "audit.recorded"
    entry_id: Id
    service: Label
    key_id: Id
    key_name: Annotated[str, MaxBytes(384, cut=True)]
    action: Annotated[str, MaxBytes(256, cut=True)]
    path: Annotated[str, MaxBytes(1024, cut=True)]
    object_id: Annotated[str, MaxBytes(512, cut=True)] = ""
    status: int
    request_id: Label
    client: Annotated[str, MaxBytes(64, cut=True)] = ""
    at: float = Field(ge=0)

    def aggregate_id(self) -> str:
        return self.entry_id
