"""What Prometheus is told of chat requests, at a few microseconds each."""

import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache

from prometheus_client import Counter, Gauge, Histogram

BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)


@dataclass
class Seen:
    """How a request ended: its HTTP status, 499 when the caller left."""

    status: int = 0


@dataclass
class Meter:
    """Counts chat requests by status, and times them to the last byte."""

    requests: Counter
    seconds: Histogram
    in_progress: Gauge

    def __post_init__(self) -> None:
        self._by_status: dict[int, Counter] = {}

    @contextmanager
    def request(self) -> Generator[Seen]:
        """Counts one request."""
        seen, began_at = Seen(), time.perf_counter()
        self.in_progress.inc()
        try:
            yield seen
        finally:
            self.in_progress.dec()
            self.seconds.observe(time.perf_counter() - began_at)
            self._of(seen.status).inc()

    def _of(self, status: int) -> Counter:
        # Looking a label up each time costs more than the counting.
        if (counter := self._by_status.get(status)) is None:
            counter = self._by_status[status] = self.requests.labels(str(status))
        return counter


@cache
def chat_meter() -> Meter:
    """The process's one, since Prometheus's registry is the process's too."""
    return Meter(
        Counter("assay_chat_requests", "Chat requests answered, by HTTP status.", ["status"]),
        Histogram("assay_chat_seconds", "From a chat request's head to its answer's last byte.", buckets=BUCKETS_S),
        Gauge("assay_chat_in_progress", "Chat requests in hand."),
    )
