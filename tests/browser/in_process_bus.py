"""Brings each published event at once to the use cases that subscribe to it, in place of NATS."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from shared import cancellation
from shared.cloudevents import Envelope, EventData
from shared.outbox import Outbox
from shared.store import BaseStore

DatedHandler = Callable[[Any, datetime], Awaitable[object]]


@dataclass
class InProcessBus:
    """What services subscribe with, and what outboxes publish to. Keeps the types of what was published."""

    handlers: dict[str, list[tuple[type[EventData], DatedHandler]]] = field(
        default_factory=dict[str, list[tuple[type[EventData], DatedHandler]]]
    )
    published: list[str] = field(default_factory=list[str])

    def subscribe(
        self, event: type[EventData], handler: Callable[[Any], Awaitable[object]], *, side_by_side: bool = False
    ) -> None:
        """Events are handled one after another, also those that may be handled side by side."""

        async def handle(data: Any, _time: datetime) -> None:
            await handler(data)

        self.subscribe_dated(event, handle)

    def subscribe_dated(self, event: type[EventData], handler: DatedHandler) -> None:
        self.handlers.setdefault(event.type, []).append((event, handler))

    async def publish(self, envelope: Envelope) -> None:
        self.published.append(envelope.type)
        for event, handler in self.handlers.get(envelope.type, ()):
            await handler(event.model_validate(envelope.data), envelope.time)

    async def report_unpublishable(self, envelope: Envelope, error: Exception) -> None:
        raise AssertionError(envelope) from error

    @asynccontextmanager
    async def relaying(self, stores: Sequence[BaseStore]) -> AsyncGenerator[None]:
        """Publishes what is saved in the stores."""
        outboxes = [asyncio.create_task(Outbox(store, self, sweep_s=0.1).run()) for store in stores]
        try:
            yield
        finally:
            await cancellation.end(outboxes)
