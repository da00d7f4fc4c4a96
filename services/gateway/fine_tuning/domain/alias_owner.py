"""Ownership of stable names."""

from pydantic import BaseModel

from services.gateway.common.domain.errors import BadRequest


class AliasOwner(BaseModel):
    """A stable name and the id of the person who used it first; `at` is when, in Unix seconds."""

    id: str
    at: float
    owner: str


def suffix_taken(suffix: str, param: str) -> BadRequest:
    message = f"The suffix {suffix!r:.100} belongs to another person; choose another suffix."
    return BadRequest(message, param=param, code="suffix_taken")
