"""An answer of vLLM's as it streams, timed; and the memory that a model takes up there."""

import json
import re
import time
from collections.abc import Iterable
from pathlib import Path

import aiohttp

from services.evaluator.domain.speed import Timing
from services.evaluator.ports import EngineUnavailable

_CACHE_BYTES = re.compile(r'kv_cache_memory_bytes="(\d+)"')


async def timed(response: aiohttp.ClientResponse, asked_at: float) -> Timing:
    """The timing of a chat completion's stream; `asked_at` is by `time.perf_counter`."""
    first: float | None = None
    tokens = 0
    async for line in response.content:
        if not line.startswith(b"data: {"):
            continue
        chunk = json.loads(line.removeprefix(b"data: "))
        if chunk.get("error"):
            raise EngineUnavailable(f"the engine broke off its answer: {chunk['error']}")
        if first is None and any(choice["delta"].get("content") for choice in chunk["choices"]):
            first = time.perf_counter() - asked_at
        tokens = (chunk.get("usage") or {}).get("completion_tokens", tokens)
    total = time.perf_counter() - asked_at
    if not tokens:
        raise EngineUnavailable("the engine's stream does not say how many tokens it had")
    # An answer may be all signs that are not shown.
    return Timing(first_token_s=total if first is None else first, total_s=total, tokens=tokens)


def memory_bytes(metrics: str, folders: Iterable[Path]) -> int | None:
    """What the weights in these folders and the engine's keys and values take; None where either is not told."""
    weights = sum(file.stat().st_size for folder in folders for file in folder.glob("*.safetensors"))
    room = _CACHE_BYTES.search(metrics)
    return weights + int(room[1]) if room and weights else None
