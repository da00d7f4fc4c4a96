"""The engines of the deployment benchmark."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from bench.side_by_side import running
from deploy.local import vllm

LONGEST_START_S = 240.0


def served(
    base: Path, port: int, *, amx: bool, adapters: bool, step_tokens: int | None = vllm.STEP_TOKENS
) -> vllm.Server:
    """vLLM on all cores: for many adapters, or for replaceable whole weights."""
    # Deployments are faster than answers: each caller may still be served by a different version.
    limits = {"max-lora-rank": 8, "max-loras": 8, "max-cpu-loras": 16} if adapters else None
    return vllm.server(
        base, base.name, port, cache_gib=1, amx=amx, adapters=limits, step_tokens=step_tokens, alone=True
    )


@contextmanager
def engine(
    base: Path, port: int, amx: bool, *, adapters: bool, step_tokens: int | None = vllm.STEP_TOKENS
) -> Generator[None]:
    """A running engine."""
    started = served(base, port, amx=amx, adapters=adapters, step_tokens=step_tokens)
    with running(started.command, port, variables=started.environment, timeout_s=LONGEST_START_S):
        yield
