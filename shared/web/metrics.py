"""The metrics endpoint."""

from litestar.plugins.prometheus import PrometheusController


class Metrics(PrometheusController):
    """Prometheus metrics."""

    path = "/metrics"
    openmetrics_format = False
