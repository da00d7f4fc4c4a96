"""vLLM's API server for a processor that faults on AMX. vLLM has no setting for it, and its engine would die at once.

vLLM spawns its engine and workers. A spawned process first imports the main module of its parent, which is this one.
"""

import runpy

import torch


def _not_supported() -> bool:
    return False


torch.cpu._is_amx_tile_supported = _not_supported  # pyright: ignore[reportPrivateUsage]

if __name__ == "__main__":
    runpy.run_module("vllm.entrypoints.openai.api_server", run_name="__main__")
