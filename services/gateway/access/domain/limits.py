"""How much a key may still do: requests and tokens in a minute that slides on, and a budget in all.

The rate in a sliding minute is taken from two counters, as Cloudflare does ("How we built rate limiting capable of
scaling to millions of domains", 2017): what fell into this minute of the clock, and of what fell into the one before
the part that the sliding minute still covers.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

from pydantic import BaseModel

from services.gateway.common.domain.errors import RateLimited
from shared.security import Key

MINUTE_S = 60.0
Header = tuple[bytes, bytes]


@dataclass
class Counts:
    """What fell into one minute of the clock."""

    requests: int = 0
    tokens: int = 0


class Tally(BaseModel):
    """The counts per key of one gateway, as the others read them. Each gateway writes only its own.

    `now` and `before` hold requests and tokens of the clock's minute `minute` and of the one before it; `spent` the
    tokens since the gateway started. `at` is in Unix seconds.
    """

    id: str
    at: float
    minute: int
    now: dict[str, tuple[int, int]] = {}
    before: dict[str, tuple[int, int]] = {}
    spent: dict[str, int] = {}


@dataclass
class Account:
    """One key on one gateway. `mine` is always right; `others` is what the other gateways shared last."""

    key_id: str
    minute: int
    mine: Counts = field(default_factory=Counts)
    mine_before: Counts = field(default_factory=Counts)
    others: Counts = field(default_factory=Counts)
    others_before: Counts = field(default_factory=Counts)
    reserved: int = 0
    """Tokens that requests under way may use."""
    spent: int = 0
    spent_by_others: int = 0
    taken: Counts = field(default_factory=Counts)
    """What was let in since the last look at the others."""

    def roll(self, now: float) -> float:
        """Go on to this minute of the clock; the part of it that is over, from 0 to 1."""
        minute, over = divmod(now, MINUTE_S)
        gone = int(minute) - self.minute
        if gone > 0:
            self.mine_before, self.mine = (self.mine if gone == 1 else Counts()), Counts()
            self.others_before, self.others = (self.others if gone == 1 else Counts()), Counts()
            self.minute = int(minute)
        return over / MINUTE_S

    def requests(self, over: float) -> float:
        """Requests in the sliding minute, of all gateways."""
        before = self.mine_before.requests + self.others_before.requests
        return self.mine.requests + self.others.requests + before * (1 - over)

    def tokens(self, over: float) -> float:
        """Tokens in the sliding minute, of all gateways, with what is reserved here."""
        before = self.mine_before.tokens + self.others_before.tokens
        return self.mine.tokens + self.others.tokens + self.reserved + before * (1 - over)

    def learn(self, tallies: Iterable[Tally]) -> None:
        """Take over what the other gateways have shared."""
        self.others, self.others_before, self.taken = Counts(), Counts(), Counts()
        for tally in tallies:
            parts = ((tally.minute, tally.now), (tally.minute - 1, tally.before))
            for minute, counts in parts:
                requests, tokens = counts.get(self.key_id, (0, 0))
                place = {self.minute: self.others, self.minute - 1: self.others_before}.get(minute)
                if place is not None:
                    place.requests += requests
                    place.tokens += tokens


def refuse(key: Key, account: Account, tokens: int, now: float) -> None:
    """Raise `RateLimited` where one more request, of so many tokens at most, is too much."""
    over = account.roll(now)
    if key.requests_per_minute is not None and account.requests(over) + 1 > key.requests_per_minute:
        wait_s = _wait_s(
            key.requests_per_minute - 1,
            account.mine.requests + account.others.requests,
            account.mine_before.requests + account.others_before.requests,
            over,
        )
        raise _too_many("requests", key.requests_per_minute, wait_s, headers(key, account, now))
    if key.tokens_per_minute is not None:
        # One that asks for more than a minute holds has to pass when nothing else does.
        wanted = min(tokens, key.tokens_per_minute)
        if account.tokens(over) + wanted > key.tokens_per_minute:
            wait_s = _wait_s(
                key.tokens_per_minute - wanted,
                account.mine.tokens + account.others.tokens,
                account.mine_before.tokens + account.others_before.tokens,
                over,
            )
            raise _too_many("tokens", key.tokens_per_minute, wait_s, headers(key, account, now))
    if key.token_budget is not None and account.spent + account.spent_by_others + account.reserved >= key.token_budget:
        message = f"This API key's budget of {key.token_budget} tokens is used up; ask an administrator to raise it."
        raise RateLimited(message, code="insufficient_quota", headers={"x-should-retry": "false"})


def share_used(key: Key, account: Account, gateways: int, now: float) -> bool:
    """Whether this gateway has let in its part of what was left at the last look: then it must look again.

    With that, all gateways together let in no more than was left, but for one request each.
    """
    if gateways <= 1:
        return False
    over = account.roll(now)
    used = False
    if key.requests_per_minute is not None:
        left = key.requests_per_minute - account.requests(over) + account.taken.requests
        used = account.taken.requests >= max(1, left // gateways)
    if key.tokens_per_minute is not None:
        left = key.tokens_per_minute - account.tokens(over) + account.taken.tokens
        used = used or account.taken.tokens >= max(1, left // gateways)
    if key.token_budget is not None:
        left = key.token_budget - account.spent - account.spent_by_others - account.reserved + account.taken.tokens
        used = used or account.taken.tokens >= max(1, left // gateways)
    return used


def headers(key: Key, account: Account, now: float) -> tuple[Header, ...]:
    """OpenAI's `x-ratelimit-*`, for those limits that the key has."""
    over = account.roll(now)
    shown: list[Header] = []
    for kind, limit, used in (
        (b"requests", key.requests_per_minute, account.requests(over)),
        (b"tokens", key.tokens_per_minute, account.tokens(over)),
    ):
        if limit is not None:
            left = max(0, math.floor(limit - used))
            # What was counted in this minute of the clock is covered to the end of the next.
            reset_s = 0.0 if used <= 0 else MINUTE_S * ((2 if _is_young(account, kind) else 1) - over)
            shown += [
                (b"x-ratelimit-limit-" + kind, b"%d" % limit),
                (b"x-ratelimit-remaining-" + kind, b"%d" % left),
                (b"x-ratelimit-reset-" + kind, duration(reset_s).encode()),
            ]
    return tuple(shown)


def duration(seconds: float) -> str:
    """As OpenAI writes it: `17ms`, `3s`, `1m30s`; rounded up."""
    if seconds < 1:
        return f"{math.ceil(seconds * 1000)}ms"
    minutes, rest = divmod(math.ceil(seconds), 60)
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"


def _is_young(account: Account, kind: bytes) -> bool:
    if kind == b"requests":
        return account.mine.requests + account.others.requests > 0
    return account.mine.tokens + account.others.tokens + account.reserved > 0


def _wait_s(room: int, young: int, old: int, over: float) -> float:
    """Seconds until the sliding minute holds at most `room`, when nothing more is let in."""
    if young <= room:
        # Where the two do not fill it, it is requests under way that do, and they end soon.
        return max(0.0, (1 - (room - young) / old - over) * MINUTE_S) if old else 1.0
    # First this minute of the clock must end; then what it holds slides out.
    return (1 - over) * MINUTE_S + (max(0.0, (1 - room / young) * MINUTE_S))


def _too_many(what: str, limit: int, wait_s: float, shown: tuple[Header, ...]) -> RateLimited:
    wait_s = max(wait_s, 0.001)
    message = f"Rate limit reached: this API key has {limit} {what} per minute. Please try again in {duration(wait_s)}."
    values = {name.decode(): value.decode() for name, value in shown}
    wait = {"Retry-After": str(math.ceil(wait_s)), "retry-after-ms": str(math.ceil(wait_s * 1000))}
    return RateLimited(message, code="rate_limit_exceeded", headers={**values, **wait})
