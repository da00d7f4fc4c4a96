"""Answers from a vLLM server. All its errors are translated here."""

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import aiohttp

from services.evaluator.scoring.adapters.stream_timing import memory_bytes, timed
from services.evaluator.scoring.adapters.vllm_replies import (
    CONTROL_TIMEOUT_S,
    ITEM_REFUSED,
    completion_of,
    confidence_of,
    prompt_logprobs_of,
    reason_of,
    steps_of,
    text_of,
    unusable,
)
from services.evaluator.scoring.domain.answer import Answer, TokenStep
from services.evaluator.scoring.domain.item import CannotBeScored
from services.evaluator.scoring.ports import AdapterGone, EngineUnavailable

ADAPTER_REFUSED = {400, 422, 500}


class Vllm:
    """One server, which may be shared: only adapters under evaluators' names are loaded and unloaded.

    With `confidence` each answer has the probabilities of its tokens; not every server of this API reports them.
    """

    reads_prompts = False

    def __init__(self, url: str, api_key: str, timeout_s: float, *, confidence: bool = False) -> None:
        self._url = url.rstrip("/")
        self._api_key = api_key
        self._timeout_s = timeout_s
        self._confidence = confidence
        self._session: aiohttp.ClientSession | None = None
        self._weights: tuple[Path, ...] = ()
        """Folders of the weights of the model that answers."""

    async def __aenter__(self) -> Self:
        # The caller limits the number of concurrent requests.
        connector = aiohttp.TCPConnector(limit=0)
        headers = {"Authorization": f"Bearer {self._api_key}"} if self._api_key else {}
        self._session = aiohttp.ClientSession(connector=connector, headers=headers)
        return self

    async def __aexit__(self, *_error: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def base_models(self) -> list[str]:
        """The names of the models that are not adapters."""
        return [str(model["id"]) for model in await self._bases()]

    async def served_name(self, base_model: str) -> str:
        bases = await self._bases()
        for model in bases:
            if base_model in (model["id"], model.get("root")):
                self._weights = (Path(str(model.get("root"))),)
                return str(model["id"])
        names = ", ".join(str(model["id"]) for model in bases)
        raise EngineUnavailable(f"the engine serves {names}, not {base_model!r}")

    async def _bases(self) -> list[dict[str, Any]]:
        status, body = await self._call("GET", "/v1/models", None, CONTROL_TIMEOUT_S)
        if status != 200:
            raise EngineUnavailable(f"the engine does not list its models: {reason_of(status, body)}")
        return [model for model in body["data"] if not model.get("parent")]

    async def load(self, name: str, folder: Path, base: str) -> None:
        content = {"lora_name": name, "lora_path": str(folder)}
        status, body = await self._call("POST", "/v1/load_lora_adapter", content, CONTROL_TIMEOUT_S)
        reason = reason_of(status, body)
        if status == 200 or "already been loaded" in reason:
            self._weights = (*self._weights[:1], folder)
            return
        if status in (404, 405):
            hint = "allow runtime LoRA updating there, and let it read the folder ASSAY_CACHE_DIR"
            raise EngineUnavailable(f"the engine cannot load {folder}: {reason}; {hint}")
        # vLLM answers 500 for an unusable adapter. If the base model still answers, the adapter is the cause.
        if status not in ADAPTER_REFUSED or (status == 500 and not await self._answers(base)):
            raise EngineUnavailable(f"the engine failed to load an adapter: {reason}")
        raise CannotBeScored("adapter_refused", f"the engine refused the adapter: {reason}")

    async def use_base(self, base: str) -> None:
        """Does nothing: with adapters, the base model always answers under its own name."""

    async def confirm(self) -> None:
        """Does nothing: a loaded name keeps its weights, and an unloaded one gives 404."""

    async def unload(self, name: str) -> None:
        status, body = await self._call("POST", "/v1/unload_lora_adapter", {"lora_name": name}, CONTROL_TIMEOUT_S)
        if status not in (200, 400, 404):
            raise EngineUnavailable(f"the engine did not unload {name}: {reason_of(status, body)}")

    async def answer(self, model: str, prompt: Sequence[dict[str, Any]], max_tokens: int, attempt: int = 0) -> Answer:
        sampling = {"temperature": 0.5, "seed": attempt} if attempt else {"temperature": 0}
        content = {"model": model, "messages": list(prompt), "max_tokens": max_tokens, **sampling}
        if self._confidence:
            # Only those of the taken tokens.
            content |= {"logprobs": True, "top_logprobs": 0}
        status, body = await self._call("POST", "/v1/chat/completions", content, self._timeout_s)
        if status == 200:
            return Answer(text_of(body), confidence=confidence_of(body))
        if status in ITEM_REFUSED:
            return Answer("", error=reason_of(status, body))
        raise unusable(model, status, body)

    async def time(self, model: str, prompt: Sequence[dict[str, Any]], max_tokens: int) -> Answer:
        assert self._session is not None
        content = {
            **{"model": model, "messages": list(prompt), "max_tokens": max_tokens, "temperature": 0},
            **{"stream": True, "stream_options": {"include_usage": True}, "ignore_eos": True},
        }
        url, timeout = f"{self._url}/v1/chat/completions", aiohttp.ClientTimeout(total=self._timeout_s)
        asked_at = time.perf_counter()
        try:
            async with self._session.post(url, json=content, timeout=timeout) as response:
                if response.status in ITEM_REFUSED:
                    return Answer("", error=reason_of(response.status, await response.text()))
                if response.status != 200:
                    raise unusable(model, response.status, await response.text())
                found = await timed(response, asked_at)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError, LookupError) as error:
            raise EngineUnavailable(f"{self._url} does not answer: {type(error).__name__}: {error}") from None
        _status, metrics = await self._call("GET", "/metrics", None, CONTROL_TIMEOUT_S)
        memory = {"memory_bytes": memory_bytes(str(metrics), self._weights)}
        return Answer(found.model_copy(update=memory).model_dump_json())

    async def tokens(self, model: str, text: str) -> list[int]:
        return await self.encode(model, text, True)

    async def encode(self, base: str, text: str, special: bool) -> list[int]:
        content = {"model": base, "prompt": text, "add_special_tokens": special}
        status, body = await self._call("POST", "/tokenize", content, CONTROL_TIMEOUT_S)
        if status != 200:
            raise EngineUnavailable(f"the engine does not tokenize: {reason_of(status, body)}")
        return body["tokens"]

    async def next_steps(
        self, model: str, prompt: Sequence[int], asked: Sequence[int], count: int
    ) -> list[TokenStep] | str:
        # Restricting the tokens that may be taken does not change the reported log-probabilities.
        return await self._steps(model, prompt, asked, count, {"allowed_token_ids": list(asked)} if count > 1 else {})

    async def greedy_steps(
        self, model: str, prompt: Sequence[int], asked: Sequence[int], count: int
    ) -> list[TokenStep] | str:
        return await self._steps(model, prompt, asked, count, {})

    async def _steps(
        self, model: str, prompt: Sequence[int], asked: Sequence[int], count: int, restriction: dict[str, Any]
    ) -> list[TokenStep] | str:
        content = {
            **{"model": model, "prompt": list(prompt), "max_tokens": count, "temperature": 0, "ignore_eos": True},
            **{"logprobs": len(asked), "logprob_token_ids": list(asked), "return_tokens_as_token_ids": True},
            # Else those of the model's own settings decide which token is the likeliest.
            **{"repetition_penalty": 1.0, "presence_penalty": 0.0, "frequency_penalty": 0.0},
            **restriction,
        }
        status, body = await self._call("POST", "/v1/completions", content, self._timeout_s)
        if status == 200:
            return steps_of(body, asked)
        if status in ITEM_REFUSED:
            return reason_of(status, body)
        raise unusable(model, status, body)

    async def context_length(self, base: str) -> int:
        return int((await self._model_card(base))["max_model_len"])

    async def prefix_token(self, base: str) -> int:
        if started := await self.encode(base, "", True):
            return started[0]
        config = Path(str((await self._model_card(base)).get("root"))) / "config.json"
        found = json.loads(config.read_bytes()) if config.is_file() else {}
        for name in ("bos_token_id", "eos_token_id"):
            if isinstance(found.get(name), int):
                return found[name]
        raise CannotBeScored(
            "no_prefix_token", f"the model has no start token, and {config} names neither bos_token_id nor eos_token_id"
        )

    async def prompt_logprobs(self, model: str, prompt: Sequence[int]) -> list[tuple[float, bool]] | str:
        # On a CPU engine with LoRA, such a request ends the server.
        assert self.reads_prompts, "only engines with merged weights read prompts"
        content = {"model": model, "prompt": list(prompt), "max_tokens": 1, "temperature": 0, "prompt_logprobs": 1}
        status, body = await self._call("POST", "/v1/completions", content, self._timeout_s)
        if status == 200:
            return prompt_logprobs_of(body, prompt)
        if status in ITEM_REFUSED:
            return reason_of(status, body)
        raise unusable(model, status, body)

    async def complete(
        self, model: str, prompt: Sequence[int], max_tokens: int, stop: Sequence[str], temperature: float
    ) -> Answer:
        content = {
            **{"model": model, "prompt": list(prompt), "max_tokens": max_tokens, "stop": list(stop)},
            **{"temperature": temperature, "seed": 0},
        }
        status, body = await self._call("POST", "/v1/completions", content, self._timeout_s)
        if status == 200:
            return Answer(completion_of(body))
        if status in ITEM_REFUSED:
            return Answer("", error=reason_of(status, body))
        raise unusable(model, status, body)

    async def _model_card(self, base: str) -> dict[str, Any]:
        status, body = await self._call("GET", "/v1/models", None, CONTROL_TIMEOUT_S)
        if status != 200:
            raise EngineUnavailable(f"the engine does not list its models: {reason_of(status, body)}")
        return next(model for model in body["data"] if model["id"] == base)

    async def check(self) -> None:
        """Raise an error unless the server and its engine are healthy."""
        async with Vllm(self._url, self._api_key, self._timeout_s) as own:
            status, body = await own._call("GET", "/health", None, CONTROL_TIMEOUT_S)
        if status != 200:
            raise EngineUnavailable(reason_of(status, body))

    async def _answers(self, base: str) -> bool:
        """Whether the model writes one token: the server may answer health checks while its engine is dead."""
        try:
            answer = await self.answer(base, [{"role": "user", "content": "1"}], 1)
        except (EngineUnavailable, AdapterGone):
            return False
        return answer.error is None

    async def _call(self, method: str, path: str, content: Any, timeout_s: float) -> tuple[int, Any]:
        assert self._session is not None
        timeout = aiohttp.ClientTimeout(total=timeout_s)
        try:
            async with self._session.request(method, self._url + path, json=content, timeout=timeout) as response:
                body: Any = await response.text()
                if response.content_type == "application/json":
                    body = await response.json()
                return response.status, body
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise EngineUnavailable(f"{self._url} does not answer: {type(error).__name__}: {error}") from None
