"""Command and environment of vLLM on a CPU."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from deploy.local import processor

_SERVER, _SERVER_WITHOUT_AMX = "vllm.entrypoints.openai.api_server", "deploy.local.vllm_without_amx"
# The prefix cache keeps whole blocks. Their default on a CPU is 128 tokens, which a short prompt does not fill. vLLM
# refuses fewer than 32 there.
_BLOCK_TOKENS = 32
# By default vLLM runs its one worker on a CPU in a separate process, and the engine's process spins on a core while it
# waits. In one process, the environment names the cores to compute on.
_IN_ONE_PROCESS = "vllm.v1.executor.uniproc_executor.UniProcExecutor"
STEP_TOKENS = 64
"""Tokens per step for interactive traffic: all callers wait for all prompts in a step."""
OTHERS_SHARE = 0.33
"""Share of a core that other work may use for long if vLLM computes on all cores."""


class Server(NamedTuple):
    """Command and environment of a server."""

    command: tuple[str, ...]
    environment: dict[str, str]


def server(
    model: Path,
    name: str,
    port: int,
    *,
    cache_gib: int,
    amx: bool,
    cores: str | None = None,
    dtype: str = "auto",
    adapters: Mapping[str, int] | None = None,
    step_tokens: int | None = None,
    alone: bool = False,
) -> Server:
    """Serve the model in a folder under `name`.

    - `adapters`: limits such as `max-loras`. Without adapters the model's own weights can be replaced.
    - `amx`: False disables AMX instructions.
    - `cores`: such as `0-1`; by default all (vLLM's default leaves one idle).
    - `dtype`: number format; by default the model's.
    - `step_tokens`: keeps steps short, so that a long prompt does not delay all running answers. Without it the prompt
      itself is read sooner.
    - `alone`: nothing else, such as a training, computes here for long. The engine is then one process on all cores,
      which is faster; beside a training it would starve.
    """
    count = os.cpu_count() or 1
    options = {
        "model": model,
        "served-model-name": name,
        "host": "127.0.0.1",
        "port": port,
        "dtype": dtype,
        "max-model-len": 2048,
        "max-num-seqs": 32,
        "block-size": _BLOCK_TOKENS,
        "uvicorn-log-level": "warning",
        **({"max-num-batched-tokens": step_tokens} if step_tokens else {}),
        **({"distributed-executor-backend": _IN_ONE_PROCESS} if alone else {}),
        **(adapters or {}),
    }
    flags = ("--enforce-eager", *(("--enable-lora",) if adapters else ()))
    module = _SERVER if amx else _SERVER_WITHOUT_AMX
    environment = {
        "HF_HUB_OFFLINE": "1",
        "VLLM_NO_USAGE_STATS": "1",
        "DO_NOT_TRACK": "1",
        "VLLM_CPU_KVCACHE_SPACE": str(cache_gib),
        "VLLM_CPU_OMP_THREADS_BIND": cores or f"0-{count - 1}",
        **({"OMP_NUM_THREADS": str(count)} if alone else {}),
        **({"VLLM_ALLOW_RUNTIME_LORA_UPDATING": "True"} if adapters else {"VLLM_SERVER_DEV_MODE": "1"}),
        **({} if amx else processor.environment_without_amx()),
    }
    command = (sys.executable, "-m", module, *flags, *(f"--{option}={value}" for option, value in options.items()))
    return Server(command, environment)
