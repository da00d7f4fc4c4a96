"""Liveness and readiness endpoints."""

import asyncio
from collections.abc import Awaitable, Callable

from litestar import Response, get
from litestar.datastructures import State

Check = Callable[[], Awaitable[None]]
CHECK_TIMEOUT_S = 3.0


@get("/healthz", sync_to_thread=False, include_in_schema=False)
def healthz() -> dict[str, str]:
    """The process is alive."""
    return {"status": "ok"}


@get("/readyz", include_in_schema=False)
async def readyz(state: State) -> Response[dict[str, str]]:
    """The outcome of each dependency's check; status 503 when one failed."""
    names = list(state.checks)
    outcomes = await asyncio.gather(*(_outcome(state.checks[name]) for name in names))
    ready = all(outcome == "ok" for outcome in outcomes)
    return Response(dict(zip(names, outcomes, strict=True)), status_code=200 if ready else 503)


async def _outcome(check: Check) -> str:
    try:
        await asyncio.wait_for(check(), CHECK_TIMEOUT_S)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "ok"
