"""How vLLM is started on a processor: its command and its environment."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from deploy.local import processor

_SERVER, _SERVER_WITHOUT_AMX = "vllm.entrypoints.openai.api_server", "deploy.local.vllm_without_amx"
# Cached keys and values are used by whole blocks, of 128 tokens on a processor unless one says otherwise: no short
# prompt fills one. vLLM refuses fewer than 32 there.
_BLOCK_TOKENS = 32
# By itself vLLM starts a process of its own for its one worker on a processor, and the engine's spins on one of the
# cores while it waits for that. In one process the environment says which cores to compute on.
_IN_ONE_PROCESS = "vllm.v1.executor.uniproc_executor.UniProcExecutor"
STEP_TOKENS = 64
"""How many tokens a step may read and write where people wait: all of them wait for all prompts in it."""
OTHERS_SHARE = 0.33
"""How much of a core others may compute on for long where vLLM computes on all of them."""


class Server(NamedTuple):
    """What starts one."""

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
    """Serve a model's folder under that name, with adapters within these limits (`--max-loras` and the like).

    Without adapters the model's own weights can be replaced. Without `amx` vLLM is kept off these instructions. It
    computes on those `cores`, as `0-1`, by default on all (by itself it leaves one idle), in numbers of that `dtype`,
    by default the model's. `step_tokens` keeps a step short, so that a long prompt does not hold up all answers under
    way; without it the prompt itself is read sooner. `alone` says that nothing else computes there for long, as a
    training does: the engine is then one process on all cores, which is faster, and beside a training would starve.
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
