"""Calls of NATS JetStream, whose failures mean that it is away."""

from collections.abc import Awaitable
from typing import Any, TypeVar

from nats.errors import Error as NatsError
from nats.js.api import RawStreamMsg
from nats.js.errors import NotFoundError

from shared.bus import Bus
from shared.web import Unavailable

T = TypeVar("T")


def jetstream(bus: Bus) -> Any:
    """The client's JetStream context; raises `Unavailable` while NATS is away."""
    try:
        return bus.jetstream
    except ConnectionError as error:
        raise Unavailable(f"NATS does not answer: {error}") from None


async def message_at(bus: Bus, stream: str, place: int) -> RawStreamMsg | None:
    """A message by its sequence number; None when it does not exist, or not any more."""
    if not 1 <= place < 2**63:
        # NATS refuses such a number with an error that looks like an outage.
        return None
    try:
        return await reach(jetstream(bus).get_msg(stream, place))
    except NotFoundError:
        return None


async def reach(call: Awaitable[T]) -> T:
    """The answer of NATS; raises `Unavailable` while it is away, and passes `NotFoundError` on."""
    try:
        return await call
    except NotFoundError:
        raise
    except (NatsError, TimeoutError, OSError) as error:
        raise Unavailable(f"NATS does not answer: {type(error).__name__}") from None
