"""Answers from a dedicated vLLM server, whose weights are replaced for each model that it scores.

On a CPU an adapter makes an engine several times slower; merged weights run at full speed. The engine serves one model
at a time, so no other client may use it. Start it with `VLLM_SERVER_DEV_MODE=1` and without `--enable-lora`.
"""

import asyncio
import hashlib
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from services.evaluator.scoring.adapters.vllm import Vllm
from services.evaluator.scoring.adapters.vllm_replies import CONTROL_TIMEOUT_S
from services.evaluator.scoring.domain.answer import Answer, TokenStep
from services.evaluator.scoring.domain.item import CannotBeScored
from services.evaluator.scoring.ports import EngineUnavailable
from shared.atomic_directory import boot_id
from shared.weights.header import UnfitWeights
from shared.weights.merging import merge

_FINGERPRINT_TEXT = (
    "One two three four five six seven eight nine ten, said the old man, and then he went on to say that"
)
_MAX_ABS_DIFF = 1e-3
BASE_VERSION, NO_VERSION = "eval-base", "eval-changing"


class MergedVllm(Vllm):
    """One server with one model's weights. The server must be able to read the folder `cache`."""

    reads_prompts = True

    def __init__(self, url: str, api_key: str, timeout_s: float, cache: Path) -> None:
        super().__init__(url, api_key, timeout_s, confidence=True)
        # Several servers may share a cache folder.
        self._merged = cache / "merged" / hashlib.sha256(url.encode()).hexdigest()[:16]
        self._base = ""
        self._root = ""
        self._fingerprint: dict[int, float] = {}

    async def served_name(self, base_model: str) -> str:
        self._base = await super().served_name(base_model)
        models = (await self._call("GET", "/v1/models", None, CONTROL_TIMEOUT_S))[1]["data"]
        self._root = next(str(model["root"]) for model in models if model["id"] == self._base)
        return self._base

    async def use_base(self, base: str) -> None:
        """Load the weights that the server was started with."""
        await self._ensure_weights(BASE_VERSION, Path(self._root))

    async def load(self, name: str, folder: Path, base: str) -> None:
        if not Path(self._root).is_dir():
            raise EngineUnavailable(f"the engine's weights are not on this machine: there is no folder {self._root}")
        await self._ensure_weights(name, await asyncio.to_thread(self._merge, name, folder))

    async def unload(self, name: str) -> None:
        """Does nothing: the next model replaces the weights."""

    async def confirm(self) -> None:
        if _max_abs_diff(self._fingerprint, await self._measure_fingerprint()) > _MAX_ABS_DIFF:
            raise EngineUnavailable(
                "the engine's weights changed during the scoring: it restarted, or has another client"
            )

    async def answer(self, model: str, prompt: Sequence[dict[str, Any]], max_tokens: int, attempt: int = 0) -> Answer:
        return await super().answer(self._base, prompt, max_tokens, attempt)

    async def time(self, model: str, prompt: Sequence[dict[str, Any]], max_tokens: int) -> Answer:
        return await super().time(self._base, prompt, max_tokens)

    async def next_steps(
        self, model: str, prompt: Sequence[int], asked: Sequence[int], count: int
    ) -> list[TokenStep] | str:
        return await super().next_steps(self._base, prompt, asked, count)

    async def greedy_steps(
        self, model: str, prompt: Sequence[int], asked: Sequence[int], count: int
    ) -> list[TokenStep] | str:
        return await super().greedy_steps(self._base, prompt, asked, count)

    async def prompt_logprobs(self, model: str, prompt: Sequence[int]) -> list[tuple[float, bool]] | str:
        return await super().prompt_logprobs(self._base, prompt)

    async def complete(
        self, model: str, prompt: Sequence[int], max_tokens: int, stop: Sequence[str], temperature: float
    ) -> Answer:
        return await super().complete(self._base, prompt, max_tokens, stop, temperature)

    async def _ensure_weights(self, version: str, weights: Path) -> None:
        """Load these weights, unless the last task has loaded them already."""
        info = await self._control("GET", "/weight_info")
        if info.get("weight_version") != version:
            await self._set_version(NO_VERSION)
            await self._reload(weights)
            await self._set_version(version)
        self._weights = (weights,)
        self._fingerprint = await self._measure_fingerprint()

    async def _set_version(self, version: str) -> None:
        """Label the engine's weights; a restarted engine has lost the label."""
        await self._control("POST", "/update_weight_version", {"new_version": version})

    async def _reload(self, weights: Path) -> None:
        content = {"method": "reload_weights", "kwargs": {"weights_path": str(weights)}}
        await self._control("POST", "/collective_rpc", content)
        done = await self._control("POST", "/reset_prefix_cache")
        # The status is 200 even if it fails, which happens while a request of a dead client is running.
        if not done.get("success"):
            raise EngineUnavailable("the engine did not reset its prefix cache; it still runs an old request")

    async def _control(self, method: str, path: str, content: dict[str, Any] | None = None) -> dict[str, Any]:
        status, reply = await self._call(method, path, content, self._timeout_s)
        if status in (404, 405):
            raise EngineUnavailable("the engine cannot replace its weights: start it with VLLM_SERVER_DEV_MODE=1")
        if status != 200:
            raise EngineUnavailable(f"the engine did not take the weights: {status} {str(reply)[:500]}")
        return reply if isinstance(reply, dict) else {}

    async def _measure_fingerprint(self) -> dict[int, float]:
        """Log-probabilities of a fixed text; they differ for other weights."""
        prompt = await self.tokens(self._base, _FINGERPRINT_TEXT)
        found = await super().next_steps(self._base, prompt, sorted(set(prompt)), 1)
        if isinstance(found, str):
            raise EngineUnavailable(found)
        return dict(found[0].logprobs)

    def _merge(self, name: str, adapter: Path) -> Path:
        """The folder of the merged weights, kept for the model's next task."""
        if (adapter / "config.json").is_file():
            # Freeze and full training save the full model.
            return adapter
        folder = self._merged / boot_id() / name
        if not folder.is_dir():
            shutil.rmtree(self._merged, ignore_errors=True)
            try:
                merge(Path(self._root), adapter, folder)
            except UnfitWeights as error:
                raise CannotBeScored("adapter_refused", str(error)) from None
        return folder


def _max_abs_diff(one: dict[int, float], other: dict[int, float]) -> float:
    return max((abs(value - other.get(token, 0.0)) for token, value in one.items()), default=0.0)
