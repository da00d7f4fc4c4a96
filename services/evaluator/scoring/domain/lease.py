"""The lease on a scoring: one evaluator at a time works on a target."""

from pydantic import BaseModel, ConfigDict

from services.evaluator.scoring.domain.scored import Scored


class LeaseLost(Exception):
    """Another evaluator took over; the work of this one no longer counts."""


class Scoring(BaseModel):
    """One target's scoring; `id` is the target's key. Times are Unix seconds; a stored result is never replaced."""

    model_config = ConfigDict(frozen=True)

    id: str
    owner: str
    expires_at: float
    scored: Scored | None = None

    def claimed(self, owner: str, now: float, lease_s: float) -> "Scoring | None":
        """Leased to `owner`; None while another lease is valid, or if the scoring is done."""
        if self.scored is not None or now < self.expires_at:
            return None
        return Scoring(id=self.id, owner=owner, expires_at=now + lease_s)

    def renewed(self, owner: str, now: float, lease_s: float) -> "Scoring":
        """With a longer lease; raises `LeaseLost`."""
        if self.owner != owner or self.scored is not None:
            raise LeaseLost("another evaluator took over this scoring")
        return self.model_copy(update={"expires_at": now + lease_s})

    def released(self, owner: str) -> "Scoring | None":
        """Free for any evaluator; None if `owner` has no lease."""
        return self.model_copy(update={"expires_at": 0.0}) if self.owner == owner and self.scored is None else None

    def finished(self, scored: Scored) -> "Scoring | None":
        """Done; None if it was done already. Any evaluator's result counts: questions and weights are the same."""
        return self.model_copy(update={"scored": scored}) if self.scored is None else None
