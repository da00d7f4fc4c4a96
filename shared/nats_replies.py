"""Where a user of NATS gets answers, and how the connection reports what NATS refuses."""

from typing import Any

from shared import telemetry

_log = telemetry.logger(__name__)


def reply_prefix(user: str) -> str:
    """The subjects of a user's answers; other users can neither read nor write there."""
    return f"_INBOX.{user}"


def connection_options(user: str) -> dict[str, Any]:
    """Options of a connection to NATS."""
    return {"reconnect_time_wait": 1, "inbox_prefix": reply_prefix(user), "error_cb": _report}


async def _report(error: Exception) -> None:
    """Log errors of the connection, such as a permission that the user lacks."""
    _log.warning("nats", error=f"{type(error).__name__}: {error}")
