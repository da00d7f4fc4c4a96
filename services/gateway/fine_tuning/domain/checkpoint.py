"""A saved checkpoint and its scores; their events may arrive in any order."""

from collections.abc import Iterable

from pydantic import BaseModel

from services.gateway.common.domain.ids import natural_id
from shared.events import Candidate, EvalDone, TrainingFinished, TrainingMetrics


class Checkpoint(BaseModel):
    """What is known of one checkpoint. `at` is when its first event arrived, in Unix seconds."""

    id: str
    at: float = 0.0
    job_id: str
    step: int
    model_name: str
    candidate: Candidate
    saved: bool = False
    metrics: TrainingMetrics | None = None
    evals: dict[str, EvalDone] = {}
    """The last scores by suite."""


def checkpoint_id(candidate: Candidate) -> str:
    return natural_id("ftckpt", candidate.job_id, candidate.step)


def preload_candidates(checkpoints: Iterable[Checkpoint], trained: TrainingFinished) -> list[Candidate]:
    """Which of a trained job's checkpoints may well be approved: the best so far, and the last until it has scores."""
    last = max(trained.checkpoints, default=None)
    return [c.candidate for c in checkpoints if c.step == trained.best_step or (c.step == last and not c.evals)]
