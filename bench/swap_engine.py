"""The engines that versions are swapped on."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from bench.side_by_side import running
from deploy.local import vllm

LONGEST_START_S = 240.0


@contextmanager
def engine(base: Path, port: int, amx: bool, *, adapters: bool) -> Generator[None]:
    """vLLM on all cores: for many adapters, or for whole weights that can be replaced."""
    # Swaps come faster than answers end: each caller may still be at a version of his own.
    limits = {"max-lora-rank": 8, "max-loras": 8, "max-cpu-loras": 16} if adapters else None
    served = vllm.server(
        base, base.name, port, cache_gib=1, amx=amx, adapters=limits, step_tokens=vllm.STEP_TOKENS, alone=True
    )
    with running(served.command, port, variables=served.environment, timeout_s=LONGEST_START_S):
        yield
