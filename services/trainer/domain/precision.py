"""Number formats of a training."""

import math
from typing import Literal

from services.trainer.domain.tuning import Kind
from shared.events import Value

# How many times faster than fp32 bf16 must be; closer to 1, noise would decide.
_MIN_SPEEDUP = 1.25


class Precision(Value):
    """`mixed` keeps the frozen weights under a LoRA adapter in bf16 and everything else in fp32."""

    format: Literal["fp32", "bf16", "mixed"]
    reason: str


def decide_precision(asked: Literal["auto", "fp32", "bf16", "mixed"], kind: Kind, bf16_speedup: float) -> Precision:
    """`bf16_speedup` is the speed of bf16 matrix products relative to fp32; infinite on a GPU that supports bf16."""
    if asked != "auto":
        return Precision(format=asked, reason="the setting TRAINER_PRECISION asks for it")
    if math.isinf(bf16_speedup):
        return Precision(format="bf16", reason="the GPU supports it")
    speed = f"this machine multiplies bf16 {bf16_speedup:.1f} times as fast as fp32"
    if bf16_speedup <= _MIN_SPEEDUP:
        return Precision(format="fp32", reason=speed)
    if kind == "lora":
        reason = f"{speed}; adapters, sums and the residual stream in fp32 keep the loss of fp32"
        return Precision(format="mixed", reason=reason)
    return Precision(format="bf16", reason=f"{speed}; trained weights and their updates stay in fp32")
