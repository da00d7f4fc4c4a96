"""A benchmark's side in a process of its own: its times and its peak memory."""

import json
import resource
import time
from collections.abc import Callable


def measured(work: Callable[[], dict[str, int]]) -> None:
    """Print the times and the peak memory of `work` and what it found, as a line of JSON."""
    started, used = time.perf_counter(), time.process_time()
    result = work()
    wall_s, cpu_s = time.perf_counter() - started, time.process_time() - used
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"wall_s": wall_s, "cpu_s": cpu_s, "peak_mb": peak_mb, "result": result}))
