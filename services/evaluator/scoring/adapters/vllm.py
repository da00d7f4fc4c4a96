"""Answers from a vLLM server. All its errors are translated here."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import aiohttp

from services.evaluator.scoring.adapters.stream_timing import memory_bytes, timed
from services.evaluator.scoring.domain.answer import Answer, TokenStep
from services.evaluator.scoring.domain.confidence import Confidence, confidence
from services.evaluator.scoring.domain.item import CannotBeScored
from services.evaluator.scoring.ports import AdapterGone, EngineUnavailable

ITEM_REFUSED = {400, 413, 422}
ADAPTER_REFUSED = {400, 422, 500}
CONTROL_TIMEOUT_S = 60.0


class Vllm:
    """One server, which may be shared: only adapters under evaluators' names are loaded and unloaded.

    With `confidence` each answer has the probabilities of its tokens; not every server of this API reports them.
    """

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

    async def served_name(self, base_model: str) -> str:
        status, body = await self._call("GET", "/v1/models", None, CONTROL_TIMEOUT_S)
        if status != 200:
            raise EngineUnavailable(f"the engine does not list its models: {_reason(status, body)}")
        bases = [model for model in body["data"] if not model.get("parent")]
        for model in bases:
            if base_model in (model["id"], model.get("root")):
                self._weights = (Path(str(model.get("root"))),)
                return str(model["id"])
        names = ", ".join(str(model["id"]) for model in bases)
        raise EngineUnavailable(f"the engine serves {names}, not {base_model!r}")

    async def load(self, name: str, folder: Path, base: str) -> None:
        content = {"lora_name": name, "lora_path": str(folder)}
        status, body = await self._call("POST", "/v1/load_lora_adapter", content, CONTROL_TIMEOUT_S)
        reason = _reason(status, body)
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
            raise EngineUnavailable(f"the engine did not unload {name}: {_reason(status, body)}")

    async def answer(self, model: str, prompt: Sequence[dict[str, Any]], max_tokens: int, attempt: int = 0) -> Answer:
        sampling = {"temperature": 0.5, "seed": attempt} if attempt else {"temperature": 0}
        content = {"model": model, "messages": list(prompt), "max_tokens": max_tokens, **sampling}
        if self._confidence:
            # Only those of the taken tokens.
            content |= {"logprobs": True, "top_logprobs": 0}
        status, body = await self._call("POST", "/v1/chat/completions", content, self._timeout_s)
        if status == 200:
            return Answer(_text(body), confidence=_confidence(body))
        if status in ITEM_REFUSED:
            return Answer("", error=_reason(status, body))
        raise _unusable(model, status, body)

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
                    return Answer("", error=_reason(response.status, await response.text()))
                if response.status != 200:
                    raise _unusable(model, response.status, await response.text())
                found = await timed(response, asked_at)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError, LookupError) as error:
            raise EngineUnavailable(f"{self._url} does not answer: {type(error).__name__}: {error}") from None
        _status, metrics = await self._call("GET", "/metrics", None, CONTROL_TIMEOUT_S)
        memory = {"memory_bytes": memory_bytes(str(metrics), self._weights)}
        return Answer(found.model_copy(update=memory).model_dump_json())

    async def tokens(self, model: str, text: str) -> list[int]:
        status, body = await self._call("POST", "/tokenize", {"model": model, "prompt": text}, CONTROL_TIMEOUT_S)
        if status != 200:
            raise EngineUnavailable(f"the engine does not tokenize: {_reason(status, body)}")
        return body["tokens"]

    async def next_steps(
        self, model: str, prompt: Sequence[int], asked: Sequence[int], count: int
    ) -> list[TokenStep] | str:
        # Restricting the tokens that may be taken does not change the reported log-probabilities.
        content = {
            **{"model": model, "prompt": list(prompt), "max_tokens": count, "temperature": 0, "ignore_eos": True},
            **({"allowed_token_ids": list(asked)} if count > 1 else {}),
            **{"logprobs": len(asked), "logprob_token_ids": list(asked), "return_tokens_as_token_ids": True},
        }
        status, body = await self._call("POST", "/v1/completions", content, self._timeout_s)
        if status == 200:
            return _steps(body, asked)
        if status in ITEM_REFUSED:
            return _reason(status, body)
        raise _unusable(model, status, body)

    async def check(self) -> None:
        """Raise an error unless the server and its engine are healthy."""
        async with Vllm(self._url, self._api_key, self._timeout_s) as own:
            status, body = await own._call("GET", "/health", None, CONTROL_TIMEOUT_S)
        if status != 200:
            raise EngineUnavailable(_reason(status, body))

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


def _unusable(model: str, status: int, body: Any) -> Exception:
    if status == 404:
        return AdapterGone(f"the engine does not know {model!r}")
    return EngineUnavailable(_reason(status, body))


def _text(body: Any) -> str:
    try:
        return body["choices"][0]["message"]["content"] or ""
    except (KeyError, IndexError, TypeError) as error:
        raise EngineUnavailable(f"the engine's answer is not a chat completion: {type(error).__name__}") from None


def _confidence(body: Any) -> Confidence | None:
    """None if the engine reports no readable log-probabilities; the answer is used without them."""
    try:
        tokens = body["choices"][0]["logprobs"]["content"]
        return confidence([(str(each["token"]), float(each["logprob"])) for each in tokens])
    except (KeyError, IndexError, TypeError, ValueError):
        return None


def _steps(body: Any, asked: Sequence[int]) -> list[TokenStep]:
    try:
        found = body["choices"][0]["logprobs"]
        taken = [int(token.removeprefix("token_id:")) for token in found["tokens"]]
        logprobs = [{token: float(top[f"token_id:{token}"]) for token in asked} for top in found["top_logprobs"]]
        return [TokenStep(*each) for each in zip(taken, logprobs, strict=True)]
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise EngineUnavailable(f"the engine's answer lacks the log-probabilities: {error!r}") from None


def _reason(status: int, body: Any) -> str:
    error = body.get("error", body) if isinstance(body, dict) else body
    message = error.get("message", error) if isinstance(error, dict) else error
    return f"{status} {str(message)[:1000]}"
