"""Says on standard error how far long work has come."""

import sys
import time
from collections.abc import Callable

Say = Callable[[str], None]
_EVERY_S = 5.0


def progress_lines() -> Say:
    """Writes a line to standard error, at most one every few seconds."""
    last = time.monotonic()

    def say(line: str) -> None:
        nonlocal last
        if time.monotonic() - last > _EVERY_S:
            last = time.monotonic()
            print(line, file=sys.stderr, flush=True)

    return say
