"""Prometheus metrics that compare versions of an alias."""

from dataclasses import dataclass
from functools import cache

from prometheus_client import Counter, Histogram

from services.gateway.inference.domain.split_plan import Outcome

BUCKETS_S = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)


@dataclass(frozen=True)
class PrometheusRoutingMetrics:
    """Counters and times by alias and version, for aliases with a traffic split only."""

    requests: Counter
    seconds: Histogram
    copies: Counter
    copy_seconds: Histogram

    def answered(self, alias: str, version: str, ok: bool, seconds: float) -> None:
        self.requests.labels(alias, version, "answered" if ok else "failed").inc()
        self.seconds.labels(alias, version).observe(seconds)

    def copied(self, alias: str, version: str, outcome: Outcome, seconds: float) -> None:
        self.copies.labels(alias, version, outcome).inc()
        if outcome != "skipped":
            self.copy_seconds.labels(alias, version).observe(seconds)


@cache
def routing_metrics() -> PrometheusRoutingMetrics:
    """The metrics of this process: Prometheus's registry holds each name once."""
    labels, outcome = ["alias", "version"], ["alias", "version", "outcome"]
    return PrometheusRoutingMetrics(
        Counter(
            "assay_routed_requests", "Requests to an alias with a traffic split, by the version that answered.", outcome
        ),
        Histogram(
            "assay_routed_seconds",
            "Seconds from such a request to the last byte of its answer.",
            labels,
            buckets=BUCKETS_S,
        ),
        Counter("assay_shadow_requests", "Shadow copies by outcome: whether the answer equals the caller's.", outcome),
        Histogram(
            "assay_shadow_seconds",
            "Seconds from a shadow copy to the last byte of its answer.",
            labels,
            buckets=BUCKETS_S,
        ),
    )
