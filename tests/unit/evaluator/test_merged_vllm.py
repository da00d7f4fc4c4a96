"""Replaced weights, with an HTTP server that answers according to the weights it loaded last."""

import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from aiohttp import web
from safetensors.numpy import load_file, save_file

from services.evaluator.scoring.adapters.merged_vllm import MergedVllm
from services.evaluator.scoring.domain.item import Item
from services.evaluator.scoring.ports import EngineUnavailable
from services.evaluator.scoring.service.answer_collector import Adapter, AnswerCollector
from tests.http_server import http_server
from tests.weights import MODULE, pair

ITEMS = [Item(({"role": "user", "content": f"q{n}"},), "r") for n in range(3)]


@dataclass
class Server:
    """A minimal vLLM; a restart restores the first weights."""

    root: Path
    weights: str = ""
    mark: str = "default"
    calls: list[str] = field(default_factory=list)
    developing: bool = True
    restart_after: int = -1
    busy_for: int = 0
    """How many resets of the prefix cache fail."""

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/v1/models", self.models)
        app.router.add_post("/tokenize", self.tokenize)
        app.router.add_post("/v1/completions", self.completions)
        app.router.add_post("/v1/chat/completions", self.chat)
        if self.developing:
            app.router.add_post("/collective_rpc", self.reload)
            app.router.add_post("/reset_prefix_cache", self.reset)
            app.router.add_get("/weight_info", self.info)
            app.router.add_post("/update_weight_version", self.update)
        return app

    async def models(self, _request: web.Request) -> web.Response:
        return web.json_response({"data": [{"id": "small", "root": str(self.root)}]})

    async def tokenize(self, request: web.Request) -> web.Response:
        return web.json_response({"tokens": [ord(c) for c in (await request.json())["prompt"]]})

    async def reload(self, request: web.Request) -> web.Response:
        body = await request.json()
        assert body["method"] == "reload_weights"
        self.weights = body["kwargs"]["weights_path"]
        self.calls.append(f"reload {Path(self.weights).name}")
        return web.json_response({"results": [None]})

    async def reset(self, _request: web.Request) -> web.Response:
        self.calls.append("reset")
        self.busy_for -= 1
        return web.json_response({"success": self.busy_for < 0})

    async def info(self, _request: web.Request) -> web.Response:
        return web.json_response({"weight_version": self.mark})

    async def update(self, request: web.Request) -> web.Response:
        self.mark = (await request.json())["new_version"]
        return web.json_response({"success": True})

    async def completions(self, request: web.Request) -> web.Response:
        asked = (await request.json())["logprob_token_ids"]
        found = {f"token_id:{token}": -float(len(self.weights)) for token in asked}
        return web.json_response({"choices": [{"logprobs": {"tokens": ["token_id:1"], "top_logprobs": [found]}}]})

    async def chat(self, request: web.Request) -> web.Response:
        assert (await request.json())["model"] == "small"
        self.restart_after -= 1
        if self.restart_after == 0:
            self.weights, self.mark = str(self.root), "default"
        return web.json_response({"choices": [{"message": {"content": Path(self.weights).name}}]})


@pytest.fixture
def server(tmp_path: Path) -> Server:
    """A server with a one-module model, and an adapter for it in the folder `adapter`."""
    low_high = pair()
    base, adapter = tmp_path / "base-weights", tmp_path / "adapter"
    for folder in (base, adapter):
        folder.mkdir()
    save_file({f"{MODULE}.weight": np.zeros((8, 6), np.float32)}, base / "model.safetensors")
    save_file(low_high, adapter / "adapter_model.safetensors")
    (adapter / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", "r": 4, "lora_alpha": 8}))
    return Server(base)


async def answers(server: Server, adapter: Adapter | None, cache: Path) -> list[str]:
    async with http_server(server.app()) as url, MergedVllm(url, "", 5, cache) as engine:
        found = await AnswerCollector(engine, 2, 0.1).answers("small", adapter, ITEMS, 5)
        return [answer.text for answer in found]


async def test_each_model_answers_with_its_own_weights_and_prefix_cache(server, tmp_path) -> None:
    adapter = Adapter("eval-v-1", tmp_path / "adapter")
    assert await answers(server, adapter, tmp_path / "cache") == ["eval-v-1"] * 3
    [weights] = (tmp_path / "cache").rglob("model.safetensors")
    # Of four ones times ones, twice.
    assert (load_file(weights)[f"{MODULE}.weight"] == 8).all()
    # What died before may have left its weights there.
    assert await answers(server, None, tmp_path / "cache") == ["base-weights"] * 3
    assert server.calls == ["reload eval-v-1", "reset", "reload base-weights", "reset"]


async def test_loaded_weights_are_not_loaded_again(server, tmp_path) -> None:
    adapter = Adapter("eval-v-1", tmp_path / "adapter")
    for _ in range(2):
        assert await answers(server, adapter, tmp_path / "cache") == ["eval-v-1"] * 3
    assert server.calls == ["reload eval-v-1", "reset"]
    # Half a change, of one who died, is none.
    server.mark, server.weights = "eval-changing", "nobody knows"
    assert await answers(server, adapter, tmp_path / "cache") == ["eval-v-1"] * 3
    # A restarted engine has its own weights again, and says so.
    server.mark, server.weights = "default", str(server.root)
    assert await answers(server, adapter, tmp_path / "cache") == ["eval-v-1"] * 3
    assert server.calls == ["reload eval-v-1", "reset"] * 3


async def test_a_full_models_weights_are_loaded_unmerged(server, tmp_path) -> None:
    whole = tmp_path / "whole"
    whole.mkdir()
    (whole / "config.json").write_text("{}")
    assert await answers(server, Adapter("eval-v-2", whole), tmp_path / "cache") == ["whole"] * 3


async def test_answers_are_refused_if_the_weights_changed_during_the_scoring(server, tmp_path) -> None:
    server.restart_after = 2
    with pytest.raises(EngineUnavailable, match="weights changed during the scoring"):
        await answers(server, Adapter("eval-v-1", tmp_path / "adapter"), tmp_path / "cache")


async def test_an_engine_is_not_asked_before_its_prefix_cache_is_reset(server, tmp_path) -> None:
    server.busy_for = 10**6
    with pytest.raises(EngineUnavailable, match="did not reset its prefix cache"):
        await answers(server, None, tmp_path / "cache")
    server.calls, server.busy_for = [], 1
    assert await answers(server, None, tmp_path / "cache") == ["base-weights"] * 3
    assert server.calls == ["reload base-weights", "reset"] * 2


async def test_an_engine_without_dev_mode_is_refused_with_a_hint(server, tmp_path) -> None:
    server.developing = False
    with pytest.raises(EngineUnavailable, match="VLLM_SERVER_DEV_MODE=1"):
        await answers(server, None, tmp_path / "cache")
