"""Chooses the number format of a training by measurement."""

import subprocess
import sys

import torch

# How many times faster than fp32 bf16 must be; closer to 1, noise would decide.
_MIN_SPEEDUP = 1.25
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


def choose_precision(asked: str = "auto") -> str:
    """`fp32` or `bf16`: what was asked for, or the format that this machine multiplies faster.

    Measured, because CPU flags mislead: without AVX512-BF16 or AMX, bf16 is emulated and several times slower than
    fp32, and a virtual machine may announce AMX but kill the process that uses it. So the probe is a process too.
    """
    if asked != "auto":
        return asked
    if torch.cuda.is_available():
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    probe = subprocess.run([sys.executable, "-c", _PROBE], capture_output=True, text=True, timeout=60, check=False)  # noqa: S603
    return "bf16" if probe.returncode == 0 and float(probe.stdout) > _MIN_SPEEDUP else "fp32"
