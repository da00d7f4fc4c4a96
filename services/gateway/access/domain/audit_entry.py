"""Who did what and when: one entry for each request that could change something, of a key that is known."""

from pydantic import BaseModel

READING = frozenset({"GET", "HEAD", "OPTIONS"})


class AuditEntry(BaseModel):
    """An entry, never changed. `at` is in Unix seconds; `key_id` is the key's at that time, whatever it became.

    `action` is method and path with its parameters' names, `object_id` what it was done to, as far as it has an id.
    A refused request has an entry too; its `status` says so.
    """

    id: str
    at: float
    key_id: str
    key_name: str
    action: str
    path: str
    object_id: str
    status: int
    request_id: str
    client: str
