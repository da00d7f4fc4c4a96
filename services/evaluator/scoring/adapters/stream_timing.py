"""Times vLLM's streamed answers, and reads a model's memory."""

import json
import re
import time
from collections.abc import Iterable
from pathlib import Path

import aiohttp

from services.evaluator.scoring.domain.timing import Timing
from services.evaluator.scoring.ports import EngineUnavailable

_CACHE_BYTES = re.compile(r'kv_cache_memory_bytes="(\d+)"')


async def timed(response: aiohttp.ClientResponse, asked_at: float) -> Timing:
    """The timing of a streamed chat completion; `asked_at` comes from `time.perf_counter`."""
    first: float | None = None
    tokens = 0
    async for line in response.content:
        if not line.startswith(b"data: {"):
            continue
        chunk = json.loads(line.removeprefix(b"data: "))
        if chunk.get("error"):
            raise EngineUnavailable(f"the engine ended its stream with an error: {chunk['error']}")
        if first is None and any(choice["delta"].get("content") for choice in chunk["choices"]):
            first = time.perf_counter() - asked_at
        tokens = (chunk.get("usage") or {}).get("completion_tokens", tokens)
    total = time.perf_counter() - asked_at
    if not tokens:
        raise EngineUnavailable("the engine's stream does not report its number of tokens")
    # All tokens of an answer may be special tokens without text.
    return Timing(first_token_s=total if first is None else first, total_s=total, tokens=tokens)


def memory_bytes(metrics: str, folders: Iterable[Path]) -> int | None:
    """Bytes of the weights in these folders and of the engine's KV cache; None if either is unknown."""
    weights = sum(file.stat().st_size for folder in folders for file in folder.glob("*.safetensors"))
    room = _CACHE_BYTES.search(metrics)
    return weights + int(room[1]) if room and weights else None
