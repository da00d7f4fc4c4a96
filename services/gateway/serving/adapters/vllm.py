"""vLLM replicas over HTTP."""

import json
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import aiohttp

from services.gateway.serving.domain.engine_weights import EngineWeights
from services.gateway.serving.ports import EngineError, EngineGone, EngineUnreachable, ModelCard

CONTROL_TIMEOUT_S = 10.0
LOAD_TIMEOUT_S = 120.0
# A round of the reconcile loop waits for its slowest engine.
PROBE_TIMEOUT_S = 30.0
# A paused engine first finishes its longest answer.
PAUSE_TIMEOUT_S = 600.0
CONNECT_TIMEOUT_S = 3.0


@contextmanager
def _translated(url: str) -> Generator[None]:
    try:
        yield
    except aiohttp.ClientConnectorError as error:
        raise EngineGone(f"{url}: the connection was refused") from error
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        raise EngineUnreachable(f"{url}: {type(error).__name__}: {error}") from error


@contextmanager
def _understood(url: str) -> Generator[None]:
    """Turns an answer of another shape into an `EngineError`, as from a web page at a wrong URL."""
    try:
        yield
    except (KeyError, TypeError, AttributeError) as error:
        raise EngineError(f"{url} does not answer like vLLM; check the pool's URL") from error


class VllmEngine:
    """All replicas; its connections are opened and closed with the application."""

    def __init__(self, api_key: str | None) -> None:
        self._headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._open: aiohttp.ClientSession | None = None

    @asynccontextmanager
    async def running(self, _app: object) -> AsyncGenerator[None]:
        """The lifespan: connections live as long as the application."""
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=30)
        async with aiohttp.ClientSession(connector=connector, headers=self._headers) as session:
            self._open = session
            yield

    async def models(self, url: str) -> dict[str, ModelCard]:
        answer = await self._call("GET", f"{url}/v1/models", CONTROL_TIMEOUT_S)
        with _understood(url):
            return {
                card["id"]: ModelCard(root=card.get("root") or "", context_length=card.get("max_model_len"))
                for card in answer["data"]
            }

    async def load(self, url: str, name: str, folder: Path) -> None:
        # Never in place: an engine keeps stale cached keys and values under a reused name and path.
        body = {"lora_name": name, "lora_path": str(folder)}
        try:
            await self._call("POST", f"{url}/v1/load_lora_adapter", LOAD_TIMEOUT_S, body)
        except EngineError as error:
            if "already been loaded" not in str(error):
                raise

    async def unload(self, url: str, name: str) -> None:
        await self._call("POST", f"{url}/v1/unload_lora_adapter", CONTROL_TIMEOUT_S, {"lora_name": name})

    async def probe(self, url: str, name: str) -> None:
        # A prompt of one token: other requests wait while an engine reads a prompt, and a chat template adds dozens.
        body = {"model": name, "prompt": "Hi", "max_tokens": 1}
        answer = await self._call("POST", f"{url}/v1/completions", PROBE_TIMEOUT_S, body)
        if not answer.get("choices"):
            raise EngineError(f"{name} gave an answer without content")

    # The calls below exist when vLLM runs with VLLM_SERVER_DEV_MODE=1.

    async def weights(self, url: str) -> EngineWeights:
        marked = await self._call("GET", f"{url}/weight_info", CONTROL_TIMEOUT_S)
        state = await self._call("GET", f"{url}/is_paused", CONTROL_TIMEOUT_S)
        with _understood(url):
            return EngineWeights(str(marked["weight_version"]), bool(state["is_paused"]))

    async def mark(self, url: str, marker: str) -> None:
        await self._call("POST", f"{url}/update_weight_version", CONTROL_TIMEOUT_S, {"new_version": marker})

    async def pause(self, url: str) -> None:
        # Without a mode it aborts running answers.
        await self._call("POST", f"{url}/pause?mode=wait", PAUSE_TIMEOUT_S)

    async def reload(self, url: str, folder: Path) -> None:
        body = {"method": "reload_weights", "kwargs": {"weights_path": str(folder)}}
        await self._call("POST", f"{url}/collective_rpc", LOAD_TIMEOUT_S, body)
        done = await self._call("POST", f"{url}/reset_prefix_cache", CONTROL_TIMEOUT_S)
        # A failure has status 200 too.
        if not done.get("success"):
            raise EngineError(f"{url} did not reset its prefix cache after a change of weights")

    async def resume(self, url: str) -> None:
        await self._call("POST", f"{url}/resume", CONTROL_TIMEOUT_S)

    async def _call(self, method: str, url: str, timeout_s: float, body: dict[str, Any] | None = None) -> Any:
        timeout = aiohttp.ClientTimeout(total=timeout_s, sock_connect=CONNECT_TIMEOUT_S)
        with _translated(url):
            async with self._session.request(method, url, json=body, timeout=timeout) as response:
                if response.status != 200:
                    raise EngineError(f"{response.status} from {url}: {(await response.text())[:500]}")
                return json.loads(await response.read() or b"{}") if "json" in response.content_type else {}

    @property
    def _session(self) -> aiohttp.ClientSession:
        assert self._open is not None, "the engine is used before the application started"
        return self._open
