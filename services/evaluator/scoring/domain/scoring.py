"""A target's scoring: who works on it, and its result."""

from typing import Self

from pydantic import BaseModel, ConfigDict

from services.evaluator.scoring.domain.target_scores import TargetScores
from shared.lease import Lease, LeaseLost


class Scoring(BaseModel):
    """One target's scoring; `id` is the target's key. A stored result is never replaced."""

    model_config = ConfigDict(frozen=True)

    id: str
    lease: Lease = Lease()
    scored: TargetScores | None = None

    def claim(self, owner: str, now: float, lease_s: float) -> Self | None:
        """Leased to `owner`; None while another lease is valid, or if the scoring is done."""
        lease = None if self.scored else self.lease.claim(owner, now, lease_s)
        return None if lease is None else self.model_copy(update={"lease": lease})

    def renew(self, owner: str, now: float, lease_s: float) -> Self:
        """With a longer lease; raises `LeaseLost`."""
        if self.scored is not None:
            raise LeaseLost("another evaluator finished this scoring")
        return self.model_copy(update={"lease": self.lease.renew(owner, now, lease_s)})

    def release(self, owner: str) -> Self:
        return self.model_copy(update={"lease": self.lease.release(owner)})

    def finish(self, scored: TargetScores) -> Self:
        """Done, if it is not yet. Any evaluator's result counts: questions and weights are the same."""
        return self if self.scored else self.model_copy(update={"scored": scored})
