"""A checkpoint that is asked the questions of a review, so that its answers stand beside the candidate's."""

import hashlib
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict

from shared.events import Artifact, Candidate, EvaluatedModel, EvaluationRequested, Split

BASELINE = "baseline"
Status = Literal["asked", "answered", "failed"]


class Baseline(BaseModel):
    """One baseline of one review.

    `attempt` counts how often it was asked; 0 for never. `asked_at` is in Unix seconds.
    """

    model_config = ConfigDict(frozen=True)

    review_id: str
    checkpoint: Candidate
    by: str
    asked_at: int
    attempt: int = 0
    status: Status = "asked"
    reason: str = ""
    """Why it could not answer."""
    pairs: int = 0
    """How many of its answers differ from the candidate's."""

    @property
    def id(self) -> str:
        """Made of the ids of review and checkpoint."""
        name = f"{self.checkpoint.job_id}/{self.checkpoint.step}"
        return f"pairs-{self.review_id}-{hashlib.sha256(name.encode()).hexdigest()[:16]}"

    @property
    def evaluation_id(self) -> str:
        """The evaluation in which it answers."""
        return f"{self.id}-{self.attempt}"

    def asked(self, by: str, at: int) -> Self | None:
        """Asked again after a failure; None while it is being asked or has answered."""
        if self.attempt and self.status != "failed":
            return None
        changes = {"attempt": self.attempt + 1, "status": "asked", "reason": "", "by": by, "asked_at": at}
        return self.model_copy(update=changes)

    def request(self, job_id: str, rows: Artifact, count: int, *, rendered: bool) -> EvaluationRequested:
        """Asks for the answers for the reviewed job. `rendered`: the questions are in a prompt template already."""
        model = EvaluatedModel(name=BASELINE, base_model=self.checkpoint.base_model, candidate=self.checkpoint)
        return EvaluationRequested(
            evaluation_id=self.evaluation_id,
            models=(model,),
            job_id=job_id,
            owner=self.by,
            created_at=self.asked_at,
            split=Split(artifact=rows, rows=count) if rendered else None,
            questions=None if rendered else rows,
        )


def baseline_id(evaluation_id: str) -> str:
    """The baseline that an evaluation belongs to, if it belongs to one."""
    return evaluation_id.rpartition("-")[0]
