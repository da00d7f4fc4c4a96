"""A scripted engine: an HTTP server with vLLM's API that says which weights answered."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from aiohttp import web
from openai import AsyncOpenAI
from safetensors.numpy import save

from shared.artifacts import Artifacts
from shared.events import Candidate
from shared.settings import CommonSettings
from tests.gateway import BASE, Gateway, approved, candidate, eventually
from tests.http_server import http_server

PROMPT_TOKENS, WORDS = 7, ("it", "is", "so")


@dataclass
class ScriptedEngine:
    """Its loaded adapters, and how often each was asked for more than the one token of a probe."""

    url: str = ""
    loaded: list[str] = field(default_factory=list)
    asked: Counter[str] = field(default_factory=Counter)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    say: Callable[[str], str] = lambda model: f"{' '.join(WORDS)} {model}"
    pause_s: float = 0
    """The time between two chunks of a stream."""

    def words(self, body: dict[str, Any]) -> Sequence[str]:
        """The chunks of a streamed answer."""
        return WORDS

    async def health(self, _request: web.Request) -> web.Response:
        return web.Response()

    async def models(self, _request: web.Request) -> web.Response:
        return web.json_response({"data": [{"id": name} for name in (BASE, *self.loaded)]})

    async def load(self, request: web.Request) -> web.Response:
        self.loaded.append((await request.json())["lora_name"])
        return web.Response(text="loaded")

    async def unload(self, request: web.Request) -> web.Response:
        self.loaded.remove((await request.json())["lora_name"])
        return web.Response(text="unloaded")

    async def complete(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        if body.get("max_tokens") != 1:
            self.asked[body["model"]] += 1
            self.bodies.append(body)
        return await (self._stream(request, body) if body.get("stream") else self._whole(request, body))

    async def _whole(self, request: web.Request, body: dict[str, Any]) -> web.Response:
        said = self.say(body["model"])
        chat = {"message": {"role": "assistant", "content": said}} if "messages" in body else {"text": said}
        kind = "chat.completion" if "messages" in body else "text_completion"
        choice = {"index": 0, "finish_reason": "stop", **chat}
        head = {"id": "c-1", "object": kind, "created": 1, "model": body["model"]}
        return web.json_response({**head, "choices": [choice], "usage": usage()})

    async def _stream(self, request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await answer.prepare(request)
        head = {"id": "c-1", "object": "chat.completion.chunk", "created": 1, "model": body["model"]}
        chunks = [
            {"choices": [{"index": 0, "delta": {"content": word}, "finish_reason": None}]} for word in self.words(body)
        ]
        if (body.get("stream_options") or {}).get("include_usage"):
            chunks.append({"choices": [], "usage": usage()})
        for chunk in chunks:
            await answer.write(b"data: " + json.dumps({**head, **chunk}).encode() + b"\n\n")
            await asyncio.sleep(self.pause_s)
        await answer.write(b"data: [DONE]\n\n")
        return answer


def usage() -> dict[str, int]:
    return {"prompt_tokens": PROMPT_TOKENS, "completion_tokens": 3, "total_tokens": PROMPT_TOKENS + 3}


@asynccontextmanager
async def scripted_engine(engine: ScriptedEngine | None = None) -> AsyncIterator[ScriptedEngine]:
    """The engine, listening on a free port."""
    engine = engine or ScriptedEngine()
    async with serve(engine):
        yield engine


@asynccontextmanager
async def serve(engine: ScriptedEngine, port: int = 0) -> AsyncIterator[None]:
    """Let the engine listen; port 0 is a free one."""
    app = web.Application()
    app.router.add_get("/health", engine.health)
    app.router.add_get("/v1/models", engine.models)
    app.router.add_post("/v1/load_lora_adapter", engine.load)
    app.router.add_post("/v1/unload_lora_adapter", engine.unload)
    for path in ("/v1/chat/completions", "/v1/completions"):
        app.router.add_post(path, engine.complete)
    async with http_server(app, port) as engine.url:
        yield


def adapter(settings: CommonSettings, seed: int) -> Any:
    """A small LoRA adapter in the artifact store, different for each seed."""
    folder = settings.cache_dir.parent / f"adapter-{seed}"
    folder.mkdir(parents=True)
    config = {"peft_type": "LORA", "lora_alpha": 8, "r": 2, "base_model_name_or_path": BASE}
    (folder / "adapter_config.json").write_text(json.dumps(config))
    stem = "base_model.model.model.layers.0.self_attn.q_proj"
    a, b = np.full((2, 4), seed, np.float32), np.zeros((4, 2), np.float32)
    weights = save({f"{stem}.lora_A.weight": a, f"{stem}.lora_B.weight": b})
    (folder / "adapter_model.safetensors").write_bytes(weights)
    return Artifacts(settings.artifacts).put_folder(folder)


async def deployed(gateway: Gateway, settings: CommonSettings, sdk: AsyncOpenAI, seed: int, suffix: str) -> Candidate:
    """An approved version that its alias points to."""
    made = candidate(f"ftjob-{suffix}-{seed}", adapter=adapter(settings, seed), suffix=suffix)
    await gateway.say(approved(made))

    async def served() -> bool:
        return {model.id: model.root async for model in sdk.models.list()}.get(suffix) == made.version  # type: ignore[attr-defined]

    await eventually(served)
    return made
