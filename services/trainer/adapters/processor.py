"""What the machine at hand is good at: its number formats, threads and memory."""

import os
import resource
import subprocess
import sys

import psutil
import torch

# How many times faster than fp32 bf16 must be: close to 1, noise would decide.
_WORTH_IT = 1.25
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
    """`fp32` or `bf16`: what was asked for, or whichever multiplies faster here.

    Measured, because flags mislead: without AVX512-BF16 or AMX bf16 is emulated, at several times the cost of fp32, and
    a virtual machine may announce AMX and then end the process that uses it.
    """
    if asked != "auto":
        return asked
    if torch.cuda.is_available():
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    probe = subprocess.run([sys.executable, "-c", _PROBE], capture_output=True, text=True, timeout=60, check=False)  # noqa: S603
    return "bf16" if probe.returncode == 0 and float(probe.stdout) > _WORTH_IT else "fp32"


def share_of_cores(processes: int) -> int:
    """How many cores each of so many processes may have."""
    return max(1, len(os.sched_getaffinity(0)) // processes)


def yield_to_others(niceness: int, threads: int) -> None:
    """Compute with so many threads, but only as long as nobody with a request to answer wants their cores."""
    os.nice(niceness)
    torch.set_num_threads(threads)


def memory_bytes() -> int:
    """Memory in use now: the GPU's where there is one, else the process's resident set."""
    return torch.cuda.memory_allocated() if torch.cuda.is_available() else psutil.Process().memory_info().rss


def peak_memory_bytes() -> int:
    """The most that was in use, counted like `memory_bytes`."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
