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
# vLLM starts a second process for its one worker on a processor, and until that answers the first spins on one of the
# cores that it computes on. In one process it must be told by its environment which cores these are.
_IN_ONE_PROCESS = "vllm.v1.executor.uniproc_executor.UniProcExecutor"
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
) -> Server:
    """Serve a model's folder under that name, with adapters within these limits (`--max-loras` and the like).

    Without adapters the model's own weights can be replaced. Without `amx` vLLM is kept off these instructions. It
    computes on those `cores`, as `0-1`, by default on all (by itself it leaves one idle), in numbers of that `dtype`,
    by default the model's.
    """
    places = _each(cores or f"0-{(os.cpu_count() or 1) - 1}")
    options = {
        "model": model,
        "served-model-name": name,
        "host": "127.0.0.1",
        "port": port,
        "dtype": dtype,
        "max-model-len": 2048,
        "max-num-seqs": 32,
        "block-size": _BLOCK_TOKENS,
        "distributed-executor-backend": _IN_ONE_PROCESS,
        "uvicorn-log-level": "warning",
        **(adapters or {}),
    }
    flags = ("--enforce-eager", *(("--enable-lora",) if adapters else ()))
    module = _SERVER if amx else _SERVER_WITHOUT_AMX
    environment = {
        "HF_HUB_OFFLINE": "1",
        "VLLM_NO_USAGE_STATS": "1",
        "DO_NOT_TRACK": "1",
        "VLLM_CPU_KVCACHE_SPACE": str(cache_gib),
        "OMP_NUM_THREADS": str(len(places)),
        "OMP_PLACES": f"{{{','.join(places)}}}",
        "OMP_PROC_BIND": "true",
        **({"VLLM_ALLOW_RUNTIME_LORA_UPDATING": "True"} if adapters else {"VLLM_SERVER_DEV_MODE": "1"}),
        **({} if amx else processor.environment_without_amx()),
    }
    command = (sys.executable, "-m", module, *flags, *(f"--{option}={value}" for option, value in options.items()))
    return Server(command, environment)


def _each(cores: str) -> list[str]:
    """`0-2,5` one by one."""
    ends = [part.split("-") for part in cores.split(",")]
    return [str(core) for first, *last in ends for core in range(int(first), int((last or [first])[0]) + 1)]
