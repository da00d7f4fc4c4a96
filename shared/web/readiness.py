"""Liveness and readiness endpoints."""

import asyncio

from litestar import Response, get
from litestar.datastructures import State

from shared.outages import refusal


@get("/healthz", sync_to_thread=False, include_in_schema=False)
def healthz() -> dict[str, str]:
    """The process is alive."""
    return {"status": "ok"}


@get("/readyz", include_in_schema=False)
async def readyz(state: State) -> Response[dict[str, str]]:
    """The outcome of each dependency's check; status 503 when one failed."""
    names = list(state.checks)
    refusals = await asyncio.gather(*(refusal(state.checks[name]) for name in names))
    outcomes = {name: error or "ok" for name, error in zip(names, refusals, strict=True)}
    return Response(outcomes, status_code=503 if any(refusals) else 200)
