"""Measures how fast this machine multiplies matrices in bf16."""

import math
import subprocess
import sys

import torch

_PROBE = """
import time, torch
def seconds(dtype):
    a, b = torch.ones(512, 576, dtype=dtype), torch.ones(576, 1536, dtype=dtype)
    def once():
        started = time.perf_counter()
        for _ in range(10): a @ b
        return time.perf_counter() - started
    return min(once() for _ in range(5))
print(seconds(torch.float32) / seconds(torch.bfloat16))
"""


def bf16_speedup() -> float:
    """The speed of bf16 products relative to fp32; infinite on a GPU that supports bf16, 0 on one that does not.

    Measured, because CPU flags mislead: without AVX512-BF16 or AMX, bf16 is emulated and several times slower than
    fp32, and a virtual machine may announce AMX but kill the process that uses it. So the probe is its own process.
    """
    if torch.cuda.is_available():
        return math.inf if torch.cuda.is_bf16_supported(including_emulation=False) else 0.0
    probe = subprocess.run([sys.executable, "-c", _PROBE], capture_output=True, text=True, timeout=60, check=False)  # noqa: S603
    return float(probe.stdout) if probe.returncode == 0 else 0.0
