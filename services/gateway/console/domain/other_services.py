"""The services whose pages and API the gateway passes on, so that a browser needs one origin."""

from collections.abc import Mapping

API_PATHS: Mapping[str, tuple[str, ...]] = {
    "ingest": ("/v1/datasets", "/v1/templates"),
    "trainer": ("/v1/runs",),
    "evaluator": ("/v1/agreement", "/v1/comparisons", "/v1/evaluations", "/v1/suites"),
    "review": ("/v1/reviews", "/v1/policies", "/v1/names", "/v1/question-sets", "/v1/verdicts"),
}
"""What each service owns below `/v1`."""


def paths_of(service: str) -> tuple[str, ...]:
    """Every path that is passed on to a service."""
    return (f"/console/{service}", *API_PATHS.get(service, ()))
