"""What a key used of a version in one day."""

from pydantic import BaseModel, Field


class Usage(BaseModel):
    """The sums of one key, version and day; `day` is an ISO date in UTC, and tokens are those that engines counted."""

    id: str
    key_id: str
    version: str
    day: str = Field(pattern=r"^\d{4}-\d{2}-\d{2}$")
    requests: int = Field(default=0, ge=0)
    prompt_tokens: int = Field(default=0, ge=0)
    completion_tokens: int = Field(default=0, ge=0)


def usage_id(key_id: str, version: str, day: str) -> str:
    """`<key>/<version>/<day>`."""
    return f"{key_id}/{version}/{day}"
