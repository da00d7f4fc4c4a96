"""A process that uses a part of one core, as on a machine that does not run Assay alone."""

import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager

_PERIOD_S = 0.1
_PROGRAM = """
import sys, time
busy_s, idle_s = map(float, sys.argv[1:])
while True:
    until = time.perf_counter() + busy_s
    while time.perf_counter() < until:
        pass
    time.sleep(idle_s)
"""


@contextmanager
def busy_core(percent: float) -> Generator[None]:
    """Use `percent` of one core, from 0 to 100, in periods of a tenth of a second."""
    if not 0 <= percent <= 100:
        raise ValueError(f"percent must be from 0 to 100, not {percent}")
    if not percent:
        yield
        return
    busy_s = _PERIOD_S * percent / 100
    process = subprocess.Popen([sys.executable, "-c", _PROGRAM, str(busy_s), str(_PERIOD_S - busy_s)])
    try:
        yield
    finally:
        process.kill()
        process.wait()
