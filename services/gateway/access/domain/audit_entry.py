"""One entry of the audit log: an authenticated request that could change something."""

from typing import Self

from pydantic import BaseModel

from shared.events import AuditRecorded


class AuditEntry(BaseModel):
    """An entry never changes. `at` is in Unix seconds; `key_name` is the key's name at that time.

    `action` is the method and the path with its parameters' names; `object_id` is the id in the path, if there is one.
    A refused request has an entry too; its `status` says so.
    """

    id: str
    at: float
    service: str = "gateway"
    key_id: str
    key_name: str
    action: str
    path: str
    object_id: str
    status: int
    request_id: str
    client: str

    @classmethod
    def of(cls, event: AuditRecorded) -> Self:
        """The entry of an event."""
        return cls.model_validate({**event.model_dump(), "id": event.entry_id})
