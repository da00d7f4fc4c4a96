"""Measures how fast this machine multiplies matrices in bf16."""

import math
import subprocess
import sys

import torch

_PROBE = """
import time, torch
def seconds(dtype, repeats):
    a, b = torch.ones(128, 576, dtype=dtype), torch.ones(576, 1536, dtype=dtype)
    def once():
        started = time.perf_counter()
        a @ b
        return time.perf_counter() - started
    return min(once() for _ in range(repeats))
fp32, bf16 = seconds(torch.float32, 20), seconds(torch.bfloat16, 1)
# Emulated products take seconds; the first of a fast format may be slow, so that it is measured again.
print(fp32 / (bf16 if bf16 > 20 * fp32 else seconds(torch.bfloat16, 20)))
"""
# Far more than the imports take on a busy machine.
_TIMEOUT_S = 120


def bf16_speedup() -> float:
    """The speed of bf16 products relative to fp32; infinite on a GPU that supports bf16, 0 on one that does not.

    Measured, because CPU flags mislead: without AVX512-BF16 or AMX, bf16 is emulated and several times slower than
    fp32, and a virtual machine may announce AMX but kill the process that uses it. So the probe is its own process.
    """
    if torch.cuda.is_available():
        return math.inf if torch.cuda.is_bf16_supported(including_emulation=False) else 0.0
    command = [sys.executable, "-c", _PROBE]
    try:
        probe = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)  # noqa: S603
    except subprocess.TimeoutExpired:
        return 0.0
    return float(probe.stdout) if probe.returncode == 0 else 0.0
