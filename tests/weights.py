"""LoRA matrices for tests: correct, or wrong in one respect."""

from typing import Any

import numpy as np

MODULE = "model.layers.0.self_attn.q_proj"


def pair(rank: int = 4, inputs: int = 6, outputs: int = 8, module: str = MODULE) -> dict[str, Any]:
    """The two matrices of one module, with peft's names."""
    stem = f"base_model.model.{module}"
    a, b = np.ones((rank, inputs), np.float32), np.ones((outputs, rank), np.float32)
    return {f"{stem}.lora_A.weight": a, f"{stem}.lora_B.weight": b}
