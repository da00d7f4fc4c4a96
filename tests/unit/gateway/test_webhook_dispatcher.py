"""Where dispatching begins after an interruption, over a store in memory."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from services.gateway.events.domain.stream_position import StreamPlace, StreamPosition
from services.gateway.events.domain.webhook import Webhook
from services.gateway.events.domain.webhook_delivery import WebhookDelivery
from services.gateway.events.service.webhook_dispatcher import WebhookDispatcher
from shared.store import MemoryStore


class InterruptedStream:
    """A stream that grows by one event each time it is asked for its end, and whose reader is always interrupted."""

    def __init__(self) -> None:
        self.facts = 4
        self.begun: list[StreamPlace] = []

    async def newest(self) -> StreamPlace:
        self.facts += 1
        return StreamPlace(self.facts, 0)

    def follow(self, _types: Sequence[str], after: StreamPlace) -> AsyncIterator[Any]:
        self.begun.append(after)
        raise ConnectionError


async def test_a_first_start_that_is_interrupted_skips_no_event() -> None:
    stream: Any = InterruptedStream()
    store = MemoryStore("gateway")
    unused: Any = None
    dispatcher = WebhookDispatcher(
        stream=stream,
        webhooks=store.collection("webhooks", Webhook),
        deliveries=store.collection("deliveries", WebhookDelivery),
        positions=store.collection("cursors", StreamPosition),
        client=unused,
        owners=unused,
        key_of=lambda _: None,
        delays_s=(),
    )
    for _ in range(2):
        with pytest.raises(ConnectionError):
            await dispatcher._follow()
    assert stream.begun == [StreamPlace(5, 0)] * 2
