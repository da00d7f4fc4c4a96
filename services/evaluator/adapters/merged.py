"""Answers from a vLLM of the evaluator's own, whose weights are replaced for each model that it scores.

On a processor an adapter makes an engine several times slower; merged weights run at full speed. The engine serves one
model at a time, so nobody else may use it: it is started with `VLLM_SERVER_DEV_MODE=1` and without `--enable-lora`.
"""

import asyncio
import hashlib
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from services.evaluator.adapters.vllm import CONTROL_TIMEOUT_S, Vllm
from services.evaluator.domain.results import Answer, Step
from services.evaluator.domain.suite import CannotBeScored
from services.evaluator.ports import EngineUnavailable
from shared.atomic_directory import boot_id
from shared.weights.header import UnfitWeights
from shared.weights.merging import merge

_PROMPT = "One two three four five six seven eight nine ten, said the old man, and then he went on to say that"
_MOST_APART = 1e-3
BASE_MARK, NO_MARK = "eval-base", "eval-changing"


class MergedVllm(Vllm):
    """One server with one model's weights. `cache` is a folder that the server reads too."""

    def __init__(self, url: str, api_key: str, timeout_s: float, cache: Path) -> None:
        super().__init__(url, api_key, timeout_s, confidence=True)
        # Of this server alone: others may keep theirs in the same cache.
        self._merged = cache / "merged" / hashlib.sha256(url.encode()).hexdigest()[:16]
        self._base = ""
        self._root = ""
        self._seen: dict[int, float] = {}

    async def served_name(self, base_model: str) -> str:
        self._base = await super().served_name(base_model)
        models = (await self._call("GET", "/v1/models", None, CONTROL_TIMEOUT_S))[1]["data"]
        self._root = next(str(model["root"]) for model in models if model["id"] == self._base)
        return self._base

    async def use_base(self, base: str) -> None:
        """The weights that the server was started with; also those of whoever died before."""
        await self._hold(BASE_MARK, Path(self._root))

    async def load(self, name: str, folder: Path, base: str) -> None:
        if not Path(self._root).is_dir():
            raise EngineUnavailable(f"this machine does not see the engine's weights at {self._root}")
        await self._hold(name, await asyncio.to_thread(self._merge, name, folder))

    async def unload(self, name: str) -> None:
        """The weights stay: whoever is scored next replaces them."""

    async def confirm(self) -> None:
        if _apart(self._seen, await self._fingerprint()) > _MOST_APART:
            raise EngineUnavailable("the engine's weights were replaced meanwhile: it restarted, or serves another too")

    async def answer(self, model: str, prompt: Sequence[dict[str, Any]], max_tokens: int, attempt: int = 0) -> Answer:
        return await super().answer(self._base, prompt, max_tokens, attempt)

    async def time(self, model: str, prompt: Sequence[dict[str, Any]], max_tokens: int) -> Answer:
        return await super().time(self._base, prompt, max_tokens)

    async def next_steps(self, model: str, prompt: Sequence[int], asked: Sequence[int], count: int) -> list[Step] | str:
        return await super().next_steps(self._base, prompt, asked, count)

    async def _hold(self, mark: str, weights: Path) -> None:
        """See that the engine has these weights, which it may have already of the last task."""
        held = await self._control("GET", "/weight_info")
        if held.get("weight_version") != mark:
            await self._mark(NO_MARK)
            await self._reload(weights)
            await self._mark(mark)
        self._weights = (weights,)
        self._seen = await self._fingerprint()

    async def _mark(self, mark: str) -> None:
        """What the engine says that it holds; a new engine says something else."""
        await self._control("POST", "/update_weight_version", {"new_version": mark})

    async def _reload(self, weights: Path) -> None:
        content = {"method": "reload_weights", "kwargs": {"weights_path": str(weights)}}
        await self._control("POST", "/collective_rpc", content)
        done = await self._control("POST", "/reset_prefix_cache")
        # It says so with status 200, as long as it still works on a request of somebody who died.
        if not done.get("success"):
            raise EngineUnavailable("the engine keeps what it computed with the old weights")

    async def _control(self, method: str, path: str, content: dict[str, Any] | None = None) -> dict[str, Any]:
        status, reply = await self._call(method, path, content, self._timeout_s)
        if status in (404, 405):
            raise EngineUnavailable("the engine cannot replace its weights: start it with VLLM_SERVER_DEV_MODE=1")
        if status != 200:
            raise EngineUnavailable(f"the engine did not take the weights: {status} {str(reply)[:500]}")
        return reply if isinstance(reply, dict) else {}

    async def _fingerprint(self) -> dict[int, float]:
        """What the weights make of a fixed text; other weights make something else of it."""
        prompt = await self.tokens(self._base, _PROMPT)
        found = await super().next_steps(self._base, prompt, sorted(set(prompt)), 1)
        if isinstance(found, str):
            raise EngineUnavailable(found)
        return dict(found[0].logprobs)

    def _merge(self, name: str, adapter: Path) -> Path:
        """The folder of the merged weights; the last one's is kept, since its next task follows at once."""
        if (adapter / "config.json").is_file():
            # A whole model, of freeze or full training.
            return adapter
        made = self._merged / boot_id() / name
        if not made.is_dir():
            shutil.rmtree(self._merged, ignore_errors=True)
            try:
                merge(Path(self._root), adapter, made)
            except UnfitWeights as error:
                raise CannotBeScored("adapter_refused", str(error)) from None
        return made


def _apart(one: dict[int, float], other: dict[int, float]) -> float:
    return max((abs(value - other.get(token, 0.0)) for token, value in one.items()), default=0.0)
