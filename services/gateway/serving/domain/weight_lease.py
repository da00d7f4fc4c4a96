"""Who may replace an engine's weights, and what an engine says of the weights that it holds."""

from pydantic import BaseModel, Field

# So long is a gateway's word good that it replaces weights; it gives it again three times as often.
LEASE_S = 15.0
# A gateway that could not say for this long that it is there stops asking, and later is no longer waited for.
FENCE_S, ABSENT_S, FORGET_S = 3.0, 5.0, 60.0


class Seen(BaseModel):
    """One gateway's word: it asks nothing of the engine that was closed in this turn. `at` is in Unix seconds."""

    turn: int
    at: float


class WeightLease(BaseModel):
    """One gateway at a time, the `holder`, replaces weights in a pool, which is `id`; `until` is in Unix seconds."""

    id: str
    holder: str = ""
    until: float = 0.0
    closing: str | None = None
    """The engine that nobody must ask now."""
    turn: int = 0
    """Counts the closings."""
    seen: dict[str, Seen] = Field(default_factory=dict[str, Seen])
    """By gateway."""


def taken(lease: WeightLease, holder: str, now: float) -> WeightLease | None:
    """The lease in this gateway's hand, new or for longer; None while it is another's."""
    if lease.holder != holder and now < lease.until:
        return None
    kept = {} if lease.holder == holder else {"closing": None}
    return lease.model_copy(update={"holder": holder, "until": now + LEASE_S, **kept})


def released(lease: WeightLease, holder: str) -> WeightLease | None:
    """The lease out of this gateway's hand; None where it is another's by now."""
    return lease.model_copy(update={"holder": "", "until": 0.0, "closing": None}) if lease.holder == holder else None


def closing(lease: WeightLease, url: str) -> WeightLease:
    """The lease with the next engine that nobody must ask."""
    return lease.model_copy(update={"closing": url, "turn": lease.turn + 1})


def closed_to(lease: WeightLease, holder: str, now: float) -> str | None:
    """The engine that this gateway must not ask, since another replaces its weights."""
    return lease.closing if lease.holder != holder and now < lease.until else None


def noted(lease: WeightLease, holder: str, turn: int, now: float) -> WeightLease:
    """The lease with this gateway's word that it is there, and asks nothing of what was closed up to that turn."""
    others = {name: seen for name, seen in lease.seen.items() if now - seen.at < FORGET_S}
    return lease.model_copy(update={"seen": {**others, holder: Seen(turn=turn, at=now)}})


def left_alone(lease: WeightLease, now: float) -> bool:
    """Whether all others that are there gave their word for this turn; who was not heard of for long asks nothing."""
    others = (seen for name, seen in lease.seen.items() if name != lease.holder)
    return all(seen.turn >= lease.turn or now - seen.at > ABSENT_S for seen in others)
