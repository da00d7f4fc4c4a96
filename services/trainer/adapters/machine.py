"""Threads, priority and memory of the machine at hand."""

import os
import resource

import psutil
import torch


def share_of_cores(processes: int) -> int:
    """Cores for each of so many processes; at least one."""
    return max(1, len(os.sched_getaffinity(0)) // processes)


def limit_cpu_use(niceness: int, threads: int) -> None:
    """Compute with so many threads, at a lower priority than processes that serve requests."""
    os.nice(niceness)
    torch.set_num_threads(threads)


def has_gpu() -> bool:
    return torch.cuda.is_available()


def memory_bytes() -> int:
    """Memory in use: the GPU's if there is one, else the resident set of the process."""
    return torch.cuda.memory_allocated() if has_gpu() else psutil.Process().memory_info().rss


def peak_memory_bytes() -> int:
    """The maximum of `memory_bytes` so far."""
    if has_gpu():
        return torch.cuda.max_memory_allocated()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
