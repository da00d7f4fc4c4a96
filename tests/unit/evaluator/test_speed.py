"""Speed of answers, measured with an HTTP server that streams slowly."""

import asyncio
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from services.evaluator.scoring.adapters.metrics import registry
from services.evaluator.scoring.adapters.vllm import Vllm
from services.evaluator.scoring.domain.item import CannotBeScored
from services.evaluator.scoring.domain.metrics import Measured, measure
from services.evaluator.scoring.domain.timing import Timing
from services.evaluator.scoring.ports import EngineUnavailable
from services.evaluator.scoring.service.answer_collector import AnswerCollector
from services.evaluator.suites.adapters.prompt_template import PromptTemplate
from services.evaluator.suites.domain.task import SPEED_METRICS, read_task
from services.evaluator.suites.domain.task_items import items_of
from tests.http_server import http_server

ROWS = [{"question": f"q{n}"} for n in range(4)]
CACHE = 'vllm:cache_config_info{engine="0",kv_cache_memory_bytes="1073741824"} 1.0\n'


@dataclass
class Streaming:
    """A minimal vLLM that streams tokens with delays."""

    root: Path
    first_s: float = 0.1
    next_s: float = 0.02
    refuse: str = ""
    metrics: str = CACHE
    breaks: bool = False
    at_once: int = 0
    most_at_once: int = 0
    bodies: list[dict[str, Any]] = field(default_factory=list)

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/v1/models", self.models)
        app.router.add_get("/metrics", self.told)
        app.router.add_post("/v1/chat/completions", self.chat)
        return app

    async def models(self, _request: web.Request) -> web.Response:
        return web.json_response({"data": [{"id": "small", "root": str(self.root)}]})

    async def told(self, _request: web.Request) -> web.Response:
        return web.Response(text=self.metrics)

    async def chat(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.bodies.append(body)
        if body["messages"][-1]["content"] == self.refuse:
            return web.json_response({"message": "too long"}, status=400)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        answer = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await answer.prepare(request)
        await self._say(answer, {"choices": [{"delta": {"role": "assistant", "content": ""}}]})
        for token in range(body["max_tokens"]):
            await asyncio.sleep(self.next_s if token else self.first_s)
            await self._say(answer, {"choices": [{"delta": {"content": "x"}}]})
            if self.breaks:
                await self._say(answer, {"error": {"message": "the engine died"}, "choices": []})
        await self._say(answer, {"choices": [], "usage": {"completion_tokens": body["max_tokens"]}})
        await answer.write(b"data: [DONE]\n\n")
        self.at_once -= 1
        return answer

    async def _say(self, answer: web.StreamResponse, chunk: dict[str, Any]) -> None:
        await answer.write(b"data: " + json.dumps(chunk).encode() + b"\n\n")


@pytest.fixture
def server(tmp_path: Path) -> Streaming:
    (tmp_path / "model.safetensors").write_bytes(bytes(2**20))
    return Streaming(tmp_path)


async def measured(server: Streaming, metrics: tuple[str, ...] = SPEED_METRICS) -> dict[str, Measured]:
    task = read_task({"name": "fast", "kind": "speed", "data": {"rows": ROWS}, "metrics": metrics})
    items = items_of(task, ROWS, [], PromptTemplate(task.template))
    async with http_server(server.app()) as url, Vllm(url, "", 5) as engine:
        answers = await AnswerCollector(engine, 8, 0.1).answers("small", None, items, 6)
    return measure([answer.text for answer in answers], [""] * len(items), registry.load(task.measured_by))


async def test_timed_questions_run_one_at_a_time(server) -> None:
    found = await measured(server)
    assert 0.1 <= found["first_token_s"].score.value < 0.2
    assert 20 < found["tokens_per_s"].score.value <= 50
    assert found["memory_gib"].score.value == pytest.approx(1 + 1 / 1024)
    assert {name: value.score.n for name, value in found.items()} == dict.fromkeys(SPEED_METRICS, 4)
    assert all(item is not None and item < 0 for item in found["first_token_s"].items)
    # One more: the engine's first answer of all is not counted.
    assert (server.most_at_once, len(server.bodies)) == (1, 5)
    assert server.bodies[0]["ignore_eos"] is True


async def test_a_slower_model_has_worse_values_of_both_metrics(server) -> None:
    quick = await measured(server)
    server.first_s, server.next_s = 0.2, 0.06
    slow = await measured(server)
    for name in ("first_token_s", "tokens_per_s"):
        pairs = zip(slow[name].items, quick[name].items, strict=True)
        assert all(mine is not None and other is not None and mine < other for mine, other in pairs)


async def test_a_refused_question_counts_as_slow_and_is_not_left_out(server) -> None:
    server.refuse = "q2"
    found = await measured(server)
    assert found["tokens_per_s"].items[2] == 0
    assert found["first_token_s"].items[2] == -60
    assert found["memory_gib"].score.value == pytest.approx(1 + 1 / 1024)


async def test_a_broken_stream_is_not_measured(server) -> None:
    server.breaks = True
    with pytest.raises(EngineUnavailable, match="ended its stream"):
        await measured(server)


async def test_unreported_memory_is_an_error(server) -> None:
    server.metrics = ""
    with pytest.raises(CannotBeScored, match="does not report its memory"):
        await measured(server)
    assert set(await measured(server, ("tokens_per_s",))) == {"tokens_per_s"}


def test_speed_tasks_accept_speed_metrics_only() -> None:
    rows = {"rows": ROWS}
    assert read_task({"name": "fast", "kind": "speed", "data": rows}).measured_by == ("tokens_per_s",)
    for wrong in ({"kind": "speed", "metrics": ["exact_match"]}, {"metrics": ["first_token_s"]}):
        with pytest.raises(CannotBeScored, match="are the only metrics of the kind speed"):
            read_task({"name": "fast", "data": rows, **wrong})
    assert Timing(first_token_s=1, total_s=1, tokens=1).tokens_per_s == 0
