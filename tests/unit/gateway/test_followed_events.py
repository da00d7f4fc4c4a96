"""Following events in a cluster: a consumer on a server that lags behind, or comes back, tells nothing twice."""

from collections.abc import Iterator, Sequence
from contextlib import aclosing
from types import SimpleNamespace
from typing import Any

import pytest
from nats.js.errors import ServiceUnavailableError

from services.gateway.events.adapters import nats_events
from services.gateway.events.adapters.nats_events import NatsEventStream
from services.gateway.events.domain.stream_position import StreamPlace
from shared.cloudevents import Envelope
from shared.events import TrainingQueued


def message(sequence: int) -> Any:
    event = Envelope.of(TrainingQueued(job_id=f"job-{sequence}"), "test")
    place = SimpleNamespace(sequence=SimpleNamespace(stream=sequence))
    return SimpleNamespace(data=event.model_dump_json().encode(), metadata=place)


class Stream:
    """A stream whose consumers tell these sequence numbers, one list for each consumer; then their server is lost."""

    def __init__(self, newest: int, told: Sequence[Sequence[int]]) -> None:
        self.newest = newest
        self.asked: list[int] = []
        self._told = iter(told)

    async def stream_info(self, _stream: str) -> Any:
        return SimpleNamespace(state=SimpleNamespace(last_seq=self.newest))

    async def add_consumer(self, _stream: str, config: Any) -> Any:
        self.asked.append(config.opt_start_seq)
        return SimpleNamespace(name="reader")

    async def pull_subscribe_bind(self, _name: str, _stream: str) -> Any:
        sequences: Iterator[int] = iter(next(self._told))

        async def fetch(_batch: int, timeout: float) -> list[Any]:
            if (sequence := next(sequences, None)) is None:
                raise ServiceUnavailableError
            return [message(sequence)]

        async def unsubscribe() -> None: ...

        return SimpleNamespace(fetch=fetch, unsubscribe=unsubscribe)


async def followed(stream: Stream, after: int, count: int) -> list[int]:
    """The places of the next events after a place of the stream of facts."""
    bus: Any = SimpleNamespace(jetstream=stream)
    places: list[int] = []
    events: Any = NatsEventStream(bus).follow(["training.queued"], StreamPlace(after, 0))
    async with aclosing(events):
        async for found in events:
            if found is not None:
                places.append(found[0].facts)
            if len(places) == count:
                break
    return places


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nats_events, "AGAIN_S", 0.0)


async def test_a_consumer_that_begins_too_early_tells_only_what_is_new() -> None:
    assert await followed(Stream(newest=7, told=[[6, 7, 8, 9]]), after=7, count=2) == [8, 9]


async def test_a_consumer_that_begins_again_tells_nothing_twice() -> None:
    assert await followed(Stream(newest=3, told=[[1, 2, 3, 1, 2, 3, 4]]), after=0, count=4) == [1, 2, 3, 4]


async def test_after_the_server_of_a_consumer_is_lost_another_goes_on_behind_the_last_event() -> None:
    stream = Stream(newest=3, told=[[1, 2], [3, 4]])
    assert await followed(stream, after=0, count=4) == [1, 2, 3, 4]
    assert stream.asked == [1, 3]


async def test_a_place_beyond_the_end_is_the_end() -> None:
    assert await followed(Stream(newest=3, told=[[4, 5]]), after=999, count=2) == [4, 5]
