"""Prometheus metrics of chat requests, at a few microseconds each."""

import time
from dataclasses import dataclass
from functools import cache

from prometheus_client import Counter, Gauge, Histogram

BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)


@dataclass
class ChatMetrics:
    """Counts chat requests by status, and times them to the last byte."""

    requests: Counter
    seconds: Histogram
    in_progress: Gauge

    def __post_init__(self) -> None:
        self._by_status: dict[int, Counter] = {}
        self._running = 0
        # Read when Prometheus scrapes, which is cheaper than two changes for each request.
        self.in_progress.set_function(lambda: self._running)

    def began(self) -> float:
        """Count a request in; returns the time for `ended`."""
        self._running += 1
        return time.perf_counter()

    def ended(self, status: int, began_at: float) -> None:
        """Count it out by its HTTP status: 499 when the caller left, 0 when nothing was answered."""
        self._running -= 1
        self.seconds.observe(time.perf_counter() - began_at)
        self._of(status).inc()

    def _of(self, status: int) -> Counter:
        # A look-up of the label for each request costs more than the counting.
        if (counter := self._by_status.get(status)) is None:
            counter = self._by_status[status] = self.requests.labels(str(status))
        return counter


@cache
def chat_metrics() -> ChatMetrics:
    """The metrics of this process: Prometheus's registry holds each name once."""
    return ChatMetrics(
        Counter("assay_chat_requests", "Chat requests answered, by HTTP status.", ["status"]),
        Histogram(
            "assay_chat_seconds", "Seconds from a chat request to the last byte of its answer.", buckets=BUCKETS_S
        ),
        Gauge("assay_chat_in_progress", "Chat requests in progress."),
    )
