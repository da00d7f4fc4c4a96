"""Who works on a scoring: one evaluator at a time, until it is done or gives no more sign of life."""

from pydantic import BaseModel, ConfigDict

from services.evaluator.domain.results import Scored


class LeaseLost(Exception):
    """Another evaluator took over; what this one finds no longer counts."""


class Scoring(BaseModel):
    """One target's scoring. Times are Unix seconds; the result, once there, is never replaced."""

    model_config = ConfigDict(frozen=True)

    owner: str
    expires_at: float
    scored: Scored | None = None

    def claimed(self, owner: str, now: float, lease_s: float) -> "Scoring | None":
        """In the hands of `owner`; None while it is another's or when it is done."""
        if self.scored is not None or now < self.expires_at:
            return None
        return Scoring(owner=owner, expires_at=now + lease_s)

    def renewed(self, owner: str, now: float, lease_s: float) -> "Scoring":
        """For longer in the same hands; raises `LeaseLost`."""
        if self.owner != owner or self.scored is not None:
            raise LeaseLost("another evaluator took this scoring over")
        return self.model_copy(update={"expires_at": now + lease_s})

    def released(self, owner: str) -> "Scoring | None":
        """Free for anybody; None when there is nothing to give back."""
        return self.model_copy(update={"expires_at": 0.0}) if self.owner == owner and self.scored is None else None

    def finished(self, scored: Scored) -> "Scoring | None":
        """Done; None when it already was. Who did it does not matter: the questions and weights are the same."""
        return self.model_copy(update={"scored": scored}) if self.scored is None else None
