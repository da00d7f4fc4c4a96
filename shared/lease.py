"""Leases: one process at a time does some work, until it is done or the process gives no more sign of life."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from shared import telemetry

T = TypeVar("T")
_RENEWALS_PER_LEASE = 3
_log = telemetry.logger(__name__)


class LeaseLost(Exception):
    """Another process has the lease; the work of this one no longer counts."""


class Lease(BaseModel):
    """A lease as part of a stored document. Times are Unix seconds, on which all processes roughly agree.

    `attempt` rises with each new holder, so that a write can be refused when it comes from an earlier one (a fencing
    token). Change it with `Collection.change`, which is atomic.
    """

    model_config = ConfigDict(frozen=True)

    holder: str = ""
    expires_at: float = 0.0
    attempt: int = Field(default=0, ge=0)

    def is_free(self, now: float) -> bool:
        return now >= self.expires_at

    def claim(self, holder: str, now: float, lease_s: float) -> Self | None:
        """The lease of a new `holder`, or a longer one of the same; None while another holder's is valid."""
        if self.holder == holder and not self.is_free(now):
            return self.renew(holder, now, lease_s)
        if not self.is_free(now):
            return None
        return self.model_copy(update={"holder": holder, "expires_at": now + lease_s, "attempt": self.attempt + 1})

    def renew(self, holder: str, now: float, lease_s: float) -> Self:
        """A longer lease of the same holder, expired or not; raises `LeaseLost` when it has another holder."""
        if self.holder != holder:
            raise LeaseLost(f"the lease is held by {self.holder or 'no process'}, not by {holder}")
        return self.model_copy(update={"expires_at": now + lease_s})

    def release(self, holder: str) -> Self:
        """Free at once, if `holder` has it."""
        return self.model_copy(update={"holder": "", "expires_at": 0.0}) if self.holder == holder else self


async def while_leased(work: Awaitable[T], renew: Callable[[], Awaitable[object]], lease_s: float) -> T:
    """The result of `work`, during which `renew` extends the lease three times in `lease_s`.

    The work is cancelled, and `LeaseLost` raised, when `renew` raises `LeaseLost`, or fails in another way for so long
    that the lease is about to expire: then another process may have begun the same work.
    """
    task = asyncio.ensure_future(work)
    renewal = asyncio.create_task(_keep(renew, lease_s))
    try:
        await asyncio.wait({task, renewal}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            # Only an error ends the renewal.
            await renewal
        return await task
    finally:
        task.cancel()
        renewal.cancel()
        await asyncio.gather(task, renewal, return_exceptions=True)


async def _keep(renew: Callable[[], Awaitable[object]], lease_s: float) -> None:
    every_s = lease_s / _RENEWALS_PER_LEASE
    valid_until = time.monotonic() + lease_s
    while True:
        await asyncio.sleep(every_s)
        began_at = time.monotonic()
        try:
            async with asyncio.timeout(every_s):
                await renew()
            valid_until = began_at + lease_s
        except LeaseLost:
            raise
        except Exception as error:
            _log.warning("lease not renewed", error=f"{type(error).__name__}: {error}")
            if time.monotonic() > valid_until - every_s:
                raise LeaseLost("the lease could not be renewed before it expired") from error
