"""Long computing beside engines that answer people on the same cores."""

import time
from collections.abc import Callable

Rest = Callable[[], None]
"""What long work calls after every piece of about a millisecond."""
# Shorter ones last longer than they are asked to.
_SHORTEST_REST_S = 0.001


def go_on() -> None:
    """No rest."""


class Pace:
    """Rests that leave one thread's piece of work that share of a core.

    A low priority alone does not do it: as long as another works, callers of an engine on the same cores wait twice as
    long for each token, of whatever priority it is.
    """

    def __init__(self, share: float) -> None:
        self._rest_of_work = 1 / share - 1
        self._began_at = time.thread_time()

    def rest(self) -> None:
        """For what the processor's time since the last rest is owed, once that is long enough."""
        owed_s = self._rest_of_work * (time.thread_time() - self._began_at)
        if owed_s >= _SHORTEST_REST_S:
            time.sleep(owed_s)
            self._began_at = time.thread_time()
