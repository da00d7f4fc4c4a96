"""What every key does, counted here and settled with the other gateways: limits, budgets and usage."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Any
from uuid import uuid4

from services.gateway.access.domain.limits import MINUTE_S, Account, Header, Tally, headers, refuse, share_used
from services.gateway.access.domain.usage import PARTS, Part, Sums, Usage, days, summed, today, usage_id
from shared import telemetry
from shared.security import Key
from shared.store import Collection

ALIVE_S = 15.0
HEARTBEAT_S = 5.0
# Twice, should another gateway have been faster; then what is known must do.
LOOKS = 2
Place = tuple[str, str, str]
"""Key, version and day."""
_log = telemetry.logger(__name__)


@dataclass(slots=True)
class Permit:
    """One request that was let in; to be ended once, with what it used. `headers` tell the caller what is left."""

    ledger: "UsageLedger"
    account: Account
    reserved: int
    headers: tuple[Header, ...] = ()

    def end(self, version: str, prompt_tokens: int, completion_tokens: int) -> None:
        """It was answered."""
        self.cancel()
        self.ledger.record_answer(self.account, version, prompt_tokens, completion_tokens)

    def cancel(self) -> None:
        """It was not answered: it counts as a request and uses no tokens."""
        self.account.reserved -= self.reserved
        self.reserved = 0


@dataclass
class UsageLedger:
    """This gateway's counts, and what it knows of the others'.

    A request is decided on these alone. Every `flush_s` seconds in which something changed, and whenever this
    gateway has let in its share of what was left, its counts are written and the others' are read.
    """

    tallies: Collection[Tally]
    usage_rows: Collection[Usage]
    flush_s: float
    usage_s: float = 5.0
    now: Callable[[], float] = time.time
    gateway: str = field(default_factory=lambda: uuid4().hex[:12])
    accounts: dict[str, Account] = field(default_factory=dict[str, Account])
    others: dict[str, Tally] = field(default_factory=dict[str, Tally])
    rows: dict[Place, Sums] = field(default_factory=dict[Place, Sums])
    changed_rows: set[Place] = field(default_factory=set[Place])
    changed: bool = False
    written_at: float = 0.0
    looked_at: float = 0.0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    usage_lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while usage is written; `lock` is another one, so that chat requests do not wait."""

    async def admit(self, key: Key, tokens: int) -> Permit:
        """Let a request in that may use so many tokens; raises `RateLimited`."""
        now = self.now()
        account = self.accounts.get(key.id) or self._open(key.id, now)
        limited = key.requests_per_minute is not None or key.tokens_per_minute is not None
        if limited or key.token_budget is not None:
            refuse(key, account, tokens, now)
            for _ in range(LOOKS):
                gateways = self.gateways
                stale = gateways > 1 and now - self.looked_at > self.flush_s
                if not stale and not share_used(key, account, gateways, now):
                    break
                await self._look_now()
                refuse(key, account, tokens, now)
        account.roll(now)
        account.mine.requests += 1
        account.taken.requests += 1
        account.taken.tokens += tokens
        account.reserved += tokens
        self.changed = True
        return Permit(self, account, tokens, headers(key, account, now) if limited else ())

    def record_answer(self, account: Account, version: str, prompt_tokens: int, completion_tokens: int) -> None:
        """Add an answer to what its key used."""
        now, used = self.now(), prompt_tokens + completion_tokens
        account.roll(now)
        account.mine.tokens += used
        account.spent += used
        place = (account.key_id, version, today(now))
        if (sums := self.rows.get(place)) is None:
            sums = self.rows[place] = Sums()
        sums.requests += 1
        sums.prompt_tokens += prompt_tokens
        sums.completion_tokens += completion_tokens
        self.changed_rows.add(place)
        self.changed = True

    @property
    def gateways(self) -> int:
        """How many there are, this one with them."""
        oldest = self.now() - ALIVE_S
        return 1 + sum(tally.at > oldest for tally in self.others.values())

    async def usage(self, start: date | None, end: date | None, key_id: str | None, by: Sequence[Part]) -> Any:
        """Sums of what was used, of one key or of all."""
        await self.write_usage()
        asked = days(start, end, self.now())
        return summed(await self._rows(asked, key_id), by or PARTS)

    async def _rows(self, days: Sequence[str], key_id: str | None) -> list[Usage]:
        where: dict[str, Any] = {"key_id": key_id} if key_id else {}
        return await self.usage_rows.find(day__gte=days[0], day__lte=days[-1], **where)

    async def begin(self) -> None:
        """Make this gateway known, and learn what was ever spent, before the first request."""
        await self._write()
        self._learn(await self.tallies.find())

    async def run(self) -> None:
        """Exchange counts until cancelled; while MongoDB is away this gateway counts alone."""
        usage_at = self.now()
        while True:
            await asyncio.sleep(self.flush_s)
            try:
                if self.changed or self.now() - self.written_at > HEARTBEAT_S:
                    await self.flush()
                if self.now() - usage_at > self.usage_s:
                    usage_at = self.now()
                    await self.write_usage()
            except Exception as error:
                _log.warning("usage not exchanged; will be retried", error=f"{type(error).__name__}: {error}")

    async def flush(self) -> None:
        """Write what was counted here, and read what was counted elsewhere."""
        async with self.lock:
            await self._write()
            self._learn(await self.tallies.find(at__gte=self.now() - 2 * MINUTE_S))

    async def write_usage(self) -> None:
        """Write the sums that changed. They are whole sums: writing one twice changes nothing."""
        # A second call at once would forget sums of yesterday that the first has yet to write.
        async with self.usage_lock:
            places, self.changed_rows = self.changed_rows, set()
            try:
                for place in places:
                    await self.usage_rows.put(self._row(place))
            except BaseException:
                # Also when it is cancelled.
                self.changed_rows |= places
                raise
            day = today(self.now())
            for place in [place for place in self.rows if place[2] != day and place not in self.changed_rows]:
                del self.rows[place]

    async def _look_now(self) -> None:
        # Also where it fails: while MongoDB is away, not each request should wait for it.
        self.looked_at = self.now()
        try:
            await self.flush()
        except Exception as error:
            _log.warning("usage not exchanged; will be retried", error=f"{type(error).__name__}: {error}")

    async def _write(self) -> None:
        now = self.now()
        self.changed, self.written_at = False, now
        minute = int(now // MINUTE_S)
        tally = Tally(id=self.gateway, at=now, minute=minute)
        for key_id, account in self.accounts.items():
            account.roll(now)
            if account.mine.requests or account.mine.tokens:
                tally.now[key_id] = (account.mine.requests, account.mine.tokens)
            if account.mine_before.requests or account.mine_before.tokens:
                tally.before[key_id] = (account.mine_before.requests, account.mine_before.tokens)
            if account.spent:
                tally.spent[key_id] = account.spent
        try:
            await self.tallies.put(tally)
        except Exception:
            self.changed = True
            raise

    def _learn(self, tallies: Sequence[Tally]) -> None:
        self.looked_at = self.now()
        self.others.update({tally.id: tally for tally in tallies if tally.id != self.gateway})
        for account in self.accounts.values():
            self._share_counts(account)

    def _share_counts(self, account: Account) -> None:
        account.roll(self.now())
        account.learn(self.others.values())
        account.spent_by_others = sum(tally.spent.get(account.key_id, 0) for tally in self.others.values())

    def _open(self, key_id: str, now: float) -> Account:
        account = self.accounts[key_id] = Account(key_id, int(now // MINUTE_S))
        self._share_counts(account)
        return account

    def _row(self, place: Place) -> Usage:
        key_id, version, day = place
        sums = asdict(self.rows[place])
        return Usage(id=usage_id(key_id, version, day, self.gateway), key_id=key_id, version=version, day=day, **sums)
