"""Answers from a vLLM server, whose every refusal is translated here."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import aiohttp

from services.evaluator.adapters.timing import memory_bytes, timed
from services.evaluator.domain.confidence import Confidence, confidence
from services.evaluator.domain.results import Answer, Step
from services.evaluator.domain.suite import CannotBeScored
from services.evaluator.ports import AdapterGone, EngineUnavailable

ITEM_REFUSED = {400, 413, 422}
ADAPTER_REFUSED = {400, 422, 500}
CONTROL_TIMEOUT_S = 60.0


class Vllm:
    """One server, which may be shared: only adapters under the evaluator's own names are loaded and unloaded.

    With `confidence` each answer tells how sure the model was, which not every server of the same API does.
    """

    def __init__(self, url: str, api_key: str, timeout_s: float, *, confidence: bool = False) -> None:
        self._url = url.rstrip("/")
        self._api_key = api_key
        self._timeout_s = timeout_s
        self._confidence = confidence
        self._session: aiohttp.ClientSession | None = None
        self._weights: tuple[Path, ...] = ()
        """Where the weights lie of the model that answers."""

    async def __aenter__(self) -> Self:
        # How many requests run at once is the caller's decision.
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
            hint = "does it allow runtime LoRA updating, and does it see this service's cache folder?"
            raise EngineUnavailable(f"the engine cannot load {folder}: {reason}; {hint}")
        # vLLM says 500 of an adapter that it cannot use; while the base model answers, the adapter is at fault.
        if status not in ADAPTER_REFUSED or (status == 500 and not await self._answers(base)):
            raise EngineUnavailable(f"the engine failed to load an adapter: {reason}")
        raise CannotBeScored("adapter_refused", f"the engine refused the adapter: {reason}")

    async def use_base(self, base: str) -> None:
        """Adapters lie beside the base model, which always answers under its own name."""

    async def confirm(self) -> None:
        """A name means the same weights for as long as it is loaded; one that was forgotten is told by 404."""

    async def unload(self, name: str) -> None:
        status, body = await self._call("POST", "/v1/unload_lora_adapter", {"lora_name": name}, CONTROL_TIMEOUT_S)
        if status not in (200, 400, 404):
            raise EngineUnavailable(f"the engine did not unload {name}: {_reason(status, body)}")

    async def answer(self, model: str, prompt: Sequence[dict[str, Any]], max_tokens: int, attempt: int = 0) -> Answer:
        drawn = {"temperature": 0.5, "seed": attempt} if attempt else {"temperature": 0}
        content = {"model": model, "messages": list(prompt), "max_tokens": max_tokens, **drawn}
        if self._confidence:
            # Of the tokens that are taken; no others are told.
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
        told = {"memory_bytes": memory_bytes(str(metrics), self._weights)}
        return Answer(found.model_copy(update=told).model_dump_json())

    async def tokens(self, model: str, text: str) -> list[int]:
        status, body = await self._call("POST", "/tokenize", {"model": model, "prompt": text}, CONTROL_TIMEOUT_S)
        if status != 200:
            raise EngineUnavailable(f"the engine cuts no text into tokens: {_reason(status, body)}")
        return body["tokens"]

    async def next_steps(self, model: str, prompt: Sequence[int], asked: Sequence[int], count: int) -> list[Step] | str:
        # What may be taken does not touch the log-probabilities: they are told as they were before.
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
        """Raise an error unless the server and its engine say that they are well."""
        async with Vllm(self._url, self._api_key, self._timeout_s) as own:
            status, body = await own._call("GET", "/health", None, CONTROL_TIMEOUT_S)
        if status != 200:
            raise EngineUnavailable(_reason(status, body))

    async def _answers(self, base: str) -> bool:
        """Whether one real token comes: the server may answer while its engine is dead."""
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
        raise EngineUnavailable(f"the engine's answer is no chat completion: {type(error).__name__}") from None


def _confidence(body: Any) -> Confidence | None:
    """Nothing where the engine tells nothing that can be read: the answer stands without it."""
    try:
        told = body["choices"][0]["logprobs"]["content"]
        return confidence([(str(each["token"]), float(each["logprob"])) for each in told])
    except (KeyError, IndexError, TypeError, ValueError):
        return None


def _steps(body: Any, asked: Sequence[int]) -> list[Step]:
    try:
        found = body["choices"][0]["logprobs"]
        taken = [int(token.removeprefix("token_id:")) for token in found["tokens"]]
        likely = [{token: float(told[f"token_id:{token}"]) for token in asked} for told in found["top_logprobs"]]
        return [Step(*each) for each in zip(taken, likely, strict=True)]
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise EngineUnavailable(f"the engine's answer has no such log-probabilities: {error!r}") from None


def _reason(status: int, body: Any) -> str:
    error = body.get("error", body) if isinstance(body, dict) else body
    message = error.get("message", error) if isinstance(error, dict) else error
    return f"{status} {str(message)[:1000]}"
