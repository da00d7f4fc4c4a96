"""Whose things are: a file, a job and its checkpoints are the key's that made them, a stable name its first taker's."""

from pydantic import BaseModel

from services.gateway.common.domain.errors import BadRequest


class AliasOwner(BaseModel):
    """A stable name and the id of the key that took it first; `at` is when, in Unix seconds."""

    id: str
    at: float
    owner: str


def suffix_taken(suffix: str, param: str) -> BadRequest:
    message = f"The suffix {suffix!r:.100} belongs to another person; choose another suffix."
    return BadRequest(message, param=param, code="suffix_taken")
