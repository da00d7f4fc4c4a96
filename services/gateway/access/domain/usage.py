"""What a key used of a version in one day, as one gateway has counted it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Literal

from pydantic import BaseModel, Field

from services.gateway.common.domain.errors import BadRequest

LONGEST_DAYS = 366
DAY_S = 86_400
Part = Literal["key_id", "version", "day"]
PARTS: tuple[Part, ...] = ("key_id", "version", "day")


class Usage(BaseModel):
    """The sums of one key, version and day; `day` is an ISO date in UTC, and tokens are those that engines counted."""

    id: str
    key_id: str
    version: str
    day: str = Field(pattern=r"^\d{4}-\d{2}-\d{2}$")
    requests: int = Field(default=0, ge=0)
    prompt_tokens: int = Field(default=0, ge=0)
    completion_tokens: int = Field(default=0, ge=0)


@dataclass(slots=True)
class Sums:
    """What was counted so far of one key, version and day."""

    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0


def usage_id(key_id: str, version: str, day: str, gateway: str) -> str:
    """`<key>/<version>/<day>/<gateway>`: each gateway writes only its own rows, so no gateway waits for another."""
    return f"{key_id}/{version}/{day}/{gateway}"


def today(now: float) -> str:
    """The day in UTC of a time in Unix seconds."""
    return _day(int(now // DAY_S))


@lru_cache(maxsize=2)
def _day(number: int) -> str:
    # Asked for with every answer.
    return datetime.fromtimestamp(number * DAY_S, UTC).date().isoformat()


def days(start: date | None, end: date | None, now: float) -> list[str]:
    """The days from `start` to `end`, both included; the last thirty where nothing is said. Raises `BadRequest`."""
    last = end or datetime.fromtimestamp(now, UTC).date()
    first = start or last - timedelta(days=29)
    count = (last - first).days + 1
    if not 1 <= count <= LONGEST_DAYS:
        message = f"'start' must not be after 'end', and the range can be at most {LONGEST_DAYS} days."
        raise BadRequest(message, param="start", code="invalid_value")
    return [(first + timedelta(days=n)).isoformat() for n in range(count)]


def summed(rows: Iterable[Usage], by: Sequence[Part]) -> list[dict[str, str | int]]:
    """The sums by some parts, in the order of these."""
    sums: dict[tuple[str, ...], list[int]] = {}
    for row in rows:
        place = tuple(str(getattr(row, part)) for part in by)
        found = sums.setdefault(place, [0, 0, 0])
        for n, amount in enumerate((row.requests, row.prompt_tokens, row.completion_tokens)):
            found[n] += amount
    return [
        {
            **dict(zip(by, place, strict=True)),
            "requests": requests,
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": prompt + completion,
        }
        for place, (requests, prompt, completion) in sorted(sums.items())
    ]
