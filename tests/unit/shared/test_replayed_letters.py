"""A replayed dead letter is handled by the consumer that failed, and by no other."""

from types import SimpleNamespace
from typing import Any

import pytest

from shared.cloudevents import Envelope
from shared.consumers import consumer_of
from shared.dead_letters import CONSUMER
from shared.delivery import Deliveries, RetryPolicy, Subscription
from shared.events import TrainingQueued
from shared.outages import Outages
from shared.store import MemoryStore

TRAINER, GATEWAY = "trainer-training_queued", "gateway-training_queued"
ENVELOPE = Envelope.of(TrainingQueued(job_id="job-1"), "test")


class Message:
    """A message as JetStream delivers it."""

    def __init__(self, consumer: str | None) -> None:
        self.data = ENVELOPE.model_dump_json().encode()
        self.headers = {CONSUMER: consumer} if consumer else None
        self.metadata = SimpleNamespace(num_delivered=1, sequence=SimpleNamespace(stream=7))
        self.acknowledged = False

    async def ack(self) -> None:
        self.acknowledged = True


async def delivered(store: MemoryStore, *messages: Any) -> list[str]:
    """The jobs that the gateway's handler got."""
    handled: list[str] = []

    async def handle(event: TrainingQueued, _time: object) -> None:
        handled.append(event.job_id)

    broker: Any = None
    deliveries = Deliveries(broker, store, RetryPolicy(), Outages())
    await deliveries.deliver(messages, Subscription(consumer_of("gateway", TrainingQueued), handle))
    assert all(message.acknowledged for message in messages)
    return handled


@pytest.mark.parametrize("consumer", [None, GATEWAY])
async def test_an_event_for_all_and_a_letter_of_its_own_are_handled(consumer: str | None) -> None:
    assert await delivered(MemoryStore("gateway"), Message(consumer)) == ["job-1"]


async def test_a_letter_of_another_consumer_is_skipped_even_if_the_inbox_has_forgotten_the_event() -> None:
    assert await delivered(MemoryStore("gateway"), Message(TRAINER)) == []


async def test_an_event_that_was_skipped_for_another_consumer_is_still_handled() -> None:
    store = MemoryStore("gateway")
    assert await delivered(store, Message(TRAINER)) == []
    assert await delivered(store, Message(GATEWAY)) == ["job-1"]
    assert await delivered(store, Message(GATEWAY)) == []
