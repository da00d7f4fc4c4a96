"""The span of one step of a rollout on one engine."""

from collections.abc import Generator
from contextlib import contextmanager

from services.gateway.serving.domain.deployment import Deployment
from services.gateway.serving.domain.replica import Replica
from shared import tracing


@contextmanager
def rollout_step(name: str, deployment: Deployment, replica: Replica) -> Generator[None]:
    """Run a block in a span of the version's trace; loading a deployed version again is not part of its rollout."""
    if deployment.status != "pending":
        yield
        return
    about = {"assay.job.id": deployment.id, "assay.version": deployment.candidate.version, "assay.engine": replica.url}
    with tracing.span(name, parent=deployment.traceparent, attributes=about):
        yield
