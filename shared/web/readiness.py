"""Liveness and readiness endpoints."""

import asyncio
from typing import Any

from litestar import Request, Response, get
from litestar.datastructures import State

from shared import telemetry
from shared.outages import refusal
from shared.security import NotAuthenticated

_log = telemetry.logger(__name__)


@get("/healthz", sync_to_thread=False, include_in_schema=False)
def healthz() -> dict[str, str]:
    """The process is alive."""
    return {"status": "ok"}


@get("/readyz", include_in_schema=False)
async def readyz(request: Request[Any, Any, Any], state: State) -> Response[dict[str, str]]:
    """Whether the service can work: status 200 or 503. A key with the scope `admin` is told each check's outcome."""
    names = list(state.checks)
    refusals = await asyncio.gather(*(refusal(state.checks[name]) for name in names))
    failed = {name: error for name, error in zip(names, refusals, strict=True) if error is not None}
    if failed:
        # An outsider must not learn addresses and errors, so the operator reads them here or with a key.
        _log.warning("not ready", **failed)
    outcomes = {name: failed.get(name, "ok") for name in names}
    shown = outcomes if _is_operator(request) else {"status": "not ready" if failed else "ready"}
    return Response(shown, status_code=503 if failed else 200)


@get("/readyz/requests", include_in_schema=False)
async def ready_for_requests(state: State) -> Response[dict[str, str]]:
    """Whether the service can answer requests, for load balancers: events wait for the other dependencies."""
    refusals = await asyncio.gather(*(refusal(state.checks[name]) for name in state.needed_by_requests))
    ready = all(error is None for error in refusals)
    return Response({"status": "ready" if ready else "not ready"}, status_code=200 if ready else 503)


def _is_operator(request: Request[Any, Any, Any]) -> bool:
    try:
        key = request.app.state.keyring.authenticate(request.headers.get("authorization"))
    except NotAuthenticated:
        return False
    return key.allows("admin")
