"""Whose things are: a file, a job and its checkpoints are the key's that made them, a stable name its first taker's."""

from typing import Any

from pydantic import BaseModel

from services.gateway.domain.refusals import BadRequest
from shared.security import Key


class Claim(BaseModel):
    """A stable name and the id of the key that took it first; `at` is when, in Unix seconds."""

    id: str
    at: float
    owner: str


class Permission(BaseModel):
    """A key that may call a checkpoint which is not its own; `at` is in Unix seconds."""

    id: str
    at: float
    model: str
    key_id: str
    removed: bool = False


def within_reach(key: Key) -> dict[str, Any]:
    """The fields by which a list is cut down to what this key may see."""
    return {} if key.allows("admin") else {"owner": key.id}


def suffix_taken(suffix: str, param: str) -> BadRequest:
    message = f"The suffix {suffix!r:.100} belongs to another API key; its stable name cannot be taken over."
    return BadRequest(message, param=param, code="suffix_taken")
