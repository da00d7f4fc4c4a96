"""The spans of a chat request, and what it costs where none are exported."""

import json
import sys
from collections import Counter
from types import FrameType
from typing import Any, cast

import pytest
from opentelemetry.sdk.trace import ReadableSpan

from services.gateway.common.domain.errors import NoReplica
from services.gateway.inference.api.chat import ChatHandler
from services.gateway.inference.api.chat_metrics import chat_metrics
from services.gateway.inference.api.chat_trace import TracedChat
from services.gateway.inference.domain import chat_request
from services.gateway.inference.domain.stream_events import StreamUsage, Used
from services.gateway.inference.service.served_answer import ServedAnswer
from services.gateway.serving.domain.catalog import Target
from services.gateway.serving.domain.replica import Replica
from shared.security import Key
from tests.spans import kept_spans, parent_of, trace_of

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-b7ad6b7169203331-01"
ROLLOUT = "00-1bf7651916cd43dd8448eb211c80319d-c7ad6b7169203332-01"
KEY = Key(id="key_1", name="ann", sha256="", scopes=("infer",), created_at=0)


class Cycle:
    """A request for a chat, and what was sent."""

    def __init__(self, stream: bool) -> None:
        asked = {
            "model": "shop",
            "messages": [{"role": "user", "content": "secret"}],
            "max_tokens": 9,
            "stream": stream,
        }
        self.content = json.dumps(asked).encode()
        self.headers = {b"traceparent": PARENT.encode(), b"authorization": b"Bearer x"}
        self.status, self.trace, self.disconnected_by_caller = 0, None, False
        self.sent: list[Any] = []

    def text(self, name: bytes) -> str | None:
        return self.headers[name].decode() if name in self.headers else None

    async def body(self, limit: int) -> bytes:
        return self.content

    def always_send(self, *headers: Any) -> None:
        self.sent.extend(headers)

    def send_json(self, status: int, *_: Any) -> None:
        self.status = status

    def start_stream(self, status: int, *_: Any) -> None:
        self.status = status

    def send_events(self, events: Any) -> bool:
        self.sent.extend(events)
        return True

    async def drained(self) -> None: ...

    def end_stream(self) -> None: ...


class StreamedAnswer:
    """An engine's answer of two tokens."""

    status = 200

    async def relay(self, take: Any, drained: Any) -> None:
        for word in ("one", "two"):
            take([f'data: {{"model":"v-1","word":"{word}"}}\n\n'.encode()])

    def close(self) -> None: ...


class Keys:
    def authenticate(self, authorization: str | None) -> Key:
        return KEY


class AnsweringEngine:
    """Answers with a version, or not at all."""

    def __init__(self, answers: bool = True) -> None:
        self.answers = answers

    async def chat(self, asked: Any, key: Key, headers: Any) -> ServedAnswer:
        if not self.answers:
            raise NoReplica("No engine can answer now.", code="service_unavailable")
        replica, target = Replica("http://10.0.0.5:8000", "base"), Target("shop", "base", "v-1", "v-1", None, ROLLOUT)
        usage = StreamUsage(asked.usage_asked)
        usage.used = Used(prompt_tokens=7, completion_tokens=2)
        body = None if asked.stream else b'{"usage":{"prompt_tokens":7,"completion_tokens":2}}'
        return ServedAnswer(target, cast(Any, StreamedAnswer()), replica, body, closed=not asked.stream, usage=usage)


def handler_of(engine: AnsweringEngine) -> ChatHandler:
    parts: dict[str, Any] = {"inference": engine, "keyring": Keys(), "sessions": None, "metrics": chat_metrics()}
    return ChatHandler(**parts, max_choices=4, max_body_bytes=10_000)


async def traced(stream: bool, answered: set[str], engine: AnsweringEngine | None = None) -> tuple[ReadableSpan, ...]:
    """The span up to the first token, and that of the request."""
    handler = cast(Any, handler_of(engine or AnsweringEngine()))
    with kept_spans() as spans:
        await TracedChat(chat_request.PATH, handler, answered)(cast(Any, Cycle(stream)))
    return spans.all


@pytest.mark.parametrize("stream", [True, False])
async def test_a_chat_is_a_request_with_a_span_up_to_its_first_token(stream: bool) -> None:
    first, request = await traced(stream, set())
    assert (first.name, request.name) == ("chat shop", "POST /v1/chat/completions")
    assert (trace_of(request), parent_of(request)) == (TRACE, "b7ad6b7169203331")
    about = dict(first.attributes or {})
    assert about["gen_ai.operation.name"] == "chat"
    assert (about["gen_ai.request.model"], about["gen_ai.request.max_tokens"]) == ("shop", 9)
    assert ("gen_ai.response.time_to_first_chunk" in about) is stream
    whole = dict(request.attributes or {})
    assert (whole["gen_ai.usage.input_tokens"], whole["gen_ai.usage.output_tokens"]) == (7, 2)
    assert whole["http.response.status_code"] == 200
    assert "secret" not in str(about) + str(whole)
    assert first.end_time is not None
    assert request.end_time is not None
    assert first.end_time <= request.end_time


async def test_only_the_first_answer_of_a_version_is_linked_to_its_rollout() -> None:
    answered: set[str] = set()
    first, _request = await traced(True, answered)
    later, _request = await traced(True, answered)
    assert [f"{link.context.span_id:016x}" for link in first.links] == ["c7ad6b7169203332"]
    assert later.links == ()


async def test_a_chat_that_no_engine_answers_is_marked_as_failed() -> None:
    first, request = await traced(True, set(), AnsweringEngine(answers=False))
    assert (first.name, first.status.description) == ("chat", "no token was sent")
    assert (request.attributes or {})["http.response.status_code"] == 503
    assert request.status.description == "answered with status 503"


@pytest.mark.parametrize("stream", [True, False])
async def test_where_nothing_is_exported_a_chat_does_not_call_tracing_or_opentelemetry(stream: bool) -> None:
    called: Counter[str] = Counter()

    def count(frame: FrameType, event: str, _argument: object) -> None:
        if event == "call":
            called[frame.f_globals.get("__name__", "")] += 1

    cycle, handler = Cycle(stream), handler_of(AnsweringEngine())
    before = sys.getprofile()
    sys.setprofile(count)
    try:
        await handler(cast(Any, cycle))
    finally:
        sys.setprofile(before)
    assert cycle.status == 200
    assert called["services.gateway.inference.api.chat"] > 0
    assert [name for name in called if name.startswith(("shared.tracing", "opentelemetry"))] == []
    # The trace context is begun once: validated, and set.
    assert called["shared.telemetry"] <= 4
