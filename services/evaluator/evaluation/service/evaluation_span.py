"""The span of an evaluation, from its first question to its scores."""

from collections.abc import Sequence
from contextlib import AbstractContextManager

from shared import tracing
from shared.events import Candidate


def evaluation_span(evaluation_id: str, candidates: Sequence[Candidate]) -> AbstractContextManager[tracing.Span]:
    """Evaluate fine-tuned models in a span of the current trace."""
    about = {
        "assay.evaluation.id": evaluation_id,
        "assay.job.id": [candidate.job_id for candidate in candidates],
        "assay.version": [candidate.version for candidate in candidates],
    }
    return tracing.span("evaluation", attributes=about)
