"""Spans, and the trace context of events."""

import asyncio
import threading
import time
from pathlib import Path

import pytest
from litestar import Litestar, get
from litestar.params import FromPath
from litestar.testing import TestClient
from pydantic import BaseModel
from structlog.testing import capture_logs

from shared import telemetry, tracing, web
from shared.cloudevents import Envelope
from shared.events import TrainingMetrics, TrainingProgress, TrainingQueued
from shared.settings import CommonSettings, ServiceSettings
from shared.store import MemoryStore
from shared.tracing import provider
from tests.spans import id_of, kept_spans, parent_of, trace_of

TRACE, OTHER = "0af7651916cd43dd8448eb211c80319c", "1bf7651916cd43dd8448eb211c80319d"
PARENT = f"00-{TRACE}-b7ad6b7169203331-01"
OTHER_PARENT = f"00-{OTHER}-c7ad6b7169203332-01"
COLLECTOR = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}


class Thing(BaseModel):
    """An aggregate with a trace."""

    id: str
    value: int = 0
    traceparent: str | None = None


@get("/things/{name:str}", sync_to_thread=False)
def thing(name: FromPath[str]) -> str:
    if name == "bad":
        raise KeyError(name)
    return telemetry.current_traceparent()


def client_of(folder: Path) -> TestClient[Litestar]:
    settings = ServiceSettings(common=CommonSettings(keys_file=folder / "keys.json"))
    return TestClient(web.build("example", settings, [thing], checks={}, dependencies={}))


async def waiting(store: MemoryStore) -> list[Envelope]:
    return [event for _, _, events in await store.unsent_events() for event in events]


@pytest.mark.parametrize(
    ("environment", "wanted"),
    [
        ({}, False),
        (COLLECTOR, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://collector:4318/v1/traces"}, True),
        ({**COLLECTOR, "OTEL_SDK_DISABLED": "true"}, False),
        ({**COLLECTOR, "OTEL_TRACES_EXPORTER": "none"}, False),
        ({**COLLECTOR, "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}, True),
        ({**COLLECTOR, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, False),
    ],
)
def test_the_environment_decides_whether_spans_are_exported(environment: dict[str, str], wanted: bool) -> None:
    assert provider.is_wanted(environment) is wanted


def test_a_protocol_that_is_not_supported_is_named_with_what_to_set() -> None:
    with capture_logs() as logs:
        provider.is_wanted({**COLLECTOR, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"})
    [entry] = logs
    assert (entry["log_level"], entry["protocol"]) == ("error", "grpc")
    assert "OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf" in entry["event"]


def test_without_an_exporter_there_are_no_plugins_and_a_span_only_continues_the_trace() -> None:
    assert (tracing.asgi_middlewares(), tracing.broker_middlewares(), tracing.enabled()) == ((), (), False)
    with tracing.span("work", parent=PARENT) as span:
        assert not span.is_recording()
        assert telemetry.current_traceparent() == PARENT


def test_a_span_has_the_parent_of_its_traceparent_and_is_the_parent_of_what_follows() -> None:
    with kept_spans() as spans:
        with tracing.span("outer", parent=PARENT), tracing.span("inner"):
            inside = telemetry.current_traceparent()
        outer, inner = spans.one("outer"), spans.one("inner")
    assert (trace_of(outer), parent_of(outer)) == (TRACE, "b7ad6b7169203331")
    assert (trace_of(inner), parent_of(inner)) == (TRACE, id_of(outer))
    assert inside == f"00-{TRACE}-{id_of(inner)}-01"


def test_a_failing_block_marks_its_span_as_failed() -> None:
    with kept_spans() as spans:
        with pytest.raises(ValueError, match="no rows"), tracing.span("work"):
            raise ValueError("no rows")
        assert spans.one("work").status.description == "ValueError: no rows"


def test_a_request_is_a_span_below_the_callers_and_is_named_by_its_route(tmp_path: Path) -> None:
    with kept_spans() as spans, client_of(tmp_path) as client:
        answer = client.get("/things/a", headers={"traceparent": PARENT})
        span = spans.one("GET /things/{name}")
    assert (trace_of(span), parent_of(span)) == (TRACE, "b7ad6b7169203331")
    assert answer.headers["x-request-id"] == TRACE
    assert answer.text == f"00-{TRACE}-{id_of(span)}-01"
    assert (span.attributes or {})["http.route"] == "/things/{name}"


def test_a_request_without_a_trace_begins_one_and_an_error_marks_it(tmp_path: Path) -> None:
    with kept_spans() as spans, client_of(tmp_path) as client:
        answer = client.get("/things/bad")
        span = spans.one("GET /things/{name}")
    assert parent_of(span) is None
    assert answer.headers["x-request-id"] == trace_of(span)
    assert not span.status.is_ok


def test_probes_and_scrapes_make_no_spans(tmp_path: Path) -> None:
    with kept_spans() as spans, client_of(tmp_path) as client:
        for path in ("/healthz", "/readyz", "/readyz/requests", "/metrics"):
            client.get(path)
        assert spans.names == []


async def test_events_about_an_aggregate_are_of_the_trace_in_which_it_was_created() -> None:
    store = MemoryStore("example")
    things = store.collection("things", Thing)
    with telemetry.trace(PARENT):
        await things.create(Thing(id="a"))
    with telemetry.trace(OTHER_PARENT):
        await things.change("a", lambda known: (known, [TrainingQueued(job_id="a")]))
    [event] = await waiting(store)
    assert event.traceparent == PARENT


async def test_a_request_that_changes_an_aggregate_of_another_trace_is_linked_to_it() -> None:
    things = MemoryStore("example").collection("things", Thing)
    with telemetry.trace(PARENT):
        await things.create(Thing(id="a"))
    with kept_spans() as spans:
        with tracing.span("request", parent=OTHER_PARENT):
            await things.change("a", lambda known: (known, [TrainingQueued(job_id="a")]))
        [link] = spans.one("request").links
    assert f"{link.context.trace_id:032x}" == TRACE


async def test_within_the_trace_of_an_aggregate_events_belong_to_the_current_span() -> None:
    store = MemoryStore("example")
    things = store.collection("things", Thing)
    later = f"00-{TRACE}-aaaaaaaaaaaaaaaa-01"
    with telemetry.trace(PARENT):
        await things.create(Thing(id="a"))
    with telemetry.trace(later):
        await things.change("a", lambda known: (known, [TrainingQueued(job_id="a")]))
    [event] = await waiting(store)
    assert event.traceparent == later


async def test_progress_is_not_sampled_and_what_follows_from_it_is() -> None:
    store = MemoryStore("example")
    things = store.collection("things", Thing)
    metrics = TrainingMetrics(step=1, train_loss=1.0)
    progress = TrainingProgress(job_id="a", attempt=1, step=1, total_steps=2, metrics=metrics)
    with telemetry.trace(PARENT):
        await things.create(Thing(id="a"), [progress])
    [event] = await waiting(store)
    assert event.traceparent == f"{PARENT[:-2]}00"
    with kept_spans() as spans, telemetry.trace(event.traceparent):
        with tracing.event_handled(event, "example-training_progress"):
            await things.change("a", lambda known: (known, [TrainingQueued(job_id="a")]))
        assert spans.names == []
    assert (await waiting(store))[-1].traceparent == PARENT


async def test_each_handled_event_has_a_span_with_what_it_is_about() -> None:
    event = Envelope.of(TrainingQueued(job_id="ftjob-1"), "trainer", PARENT)
    with kept_spans() as spans:
        with telemetry.trace(PARENT), tracing.event_handled(event, "gateway-training_queued"):
            pass
        span = spans.one("training.queued process")
    about = span.attributes or {}
    assert (about["messaging.consumer.group.name"], about["cloudevents.event_subject"]) == (
        "gateway-training_queued",
        "ftjob-1",
    )
    assert parent_of(span) == "b7ad6b7169203331"


async def test_the_last_spans_are_exported_when_the_application_stops(tmp_path: Path) -> None:
    flushed: list[bool] = []
    with kept_spans(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(provider.current(), "force_flush", lambda: flushed.append(True))
        with client_of(tmp_path):
            assert flushed == []
    assert flushed == [True]


def test_a_collector_that_is_away_does_not_keep_a_service_from_stopping(monkeypatch: pytest.MonkeyPatch) -> None:
    away = threading.Event()

    async def stop() -> None:
        async with tracing.flushed(None):
            pass

    with kept_spans(), pytest.MonkeyPatch.context() as patch, capture_logs() as logs:
        monkeypatch.setattr(provider, "FLUSH_S", 0.1)
        patch.setattr(provider.current(), "force_flush", lambda: away.wait(20))
        began_at = time.monotonic()
        asyncio.run(stop())
        waited_s = time.monotonic() - began_at
        away.set()
    assert waited_s < 5
    assert [entry["event"] for entry in logs] == ["the last spans could not be exported in time"]
