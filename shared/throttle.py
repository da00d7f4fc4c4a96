"""Throttling of long computations that share processor cores with serving engines."""

import time
from collections.abc import Callable

Wait = Callable[[], None]
"""Called by long work after every piece of about a millisecond."""
# The system makes shorter sleeps longer than asked.
_SHORTEST_SLEEP_S = 0.001


def no_wait() -> None:
    """No throttling."""


class Throttle:
    """Limits one thread to `share` of a core.

    A low priority is not enough: while another process computes, clients of an engine on the same cores wait twice as
    long for each token, at any priority.
    """

    def __init__(self, share: float) -> None:
        self._sleep_per_work = 1 / share - 1
        self._began_at = time.thread_time()

    def wait(self) -> None:
        """Sleep in proportion to the processor time used since the last sleep, once that is long enough."""
        sleep_s = self._sleep_per_work * (time.thread_time() - self._began_at)
        if sleep_s >= _SHORTEST_SLEEP_S:
            time.sleep(sleep_s)
            self._began_at = time.thread_time()
