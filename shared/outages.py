"""Outages of what a service depends on, as distinct from an error of one event."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from shared import telemetry

Check = Callable[[], Awaitable[None]]
CHECK_TIMEOUT_S = 3.0
_log = telemetry.logger(__name__)


async def refusal(check: Check) -> str | None:
    """The error of one check; None if it passed within `CHECK_TIMEOUT_S`."""
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_S):
            await check()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return None


class Outages:
    """The dependencies of one service, by name; each check raises an error while its dependency is away."""

    def __init__(self, checks: Mapping[str, Check] | None = None, poll_s: float = 1.0) -> None:
        self.checks = dict(checks or {})
        self._poll_s = poll_s

    async def away(self) -> dict[str, str]:
        """The dependencies that do not answer now, with their errors."""
        found = await asyncio.gather(*map(refusal, self.checks.values()))
        return {name: error for name, error in zip(self.checks, found, strict=True) if error is not None}

    async def end(self) -> None:
        """Return when all dependencies answer."""
        while away := await self.away():
            _log.warning("waiting for the end of an outage", **away)
            await asyncio.sleep(self._poll_s)
