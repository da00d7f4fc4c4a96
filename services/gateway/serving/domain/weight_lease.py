"""The lease to replace the weights of a pool's engines, one gateway at a time."""

from pydantic import BaseModel, Field

# Lifetime of the lease to replace weights; it is renewed every 3 s.
LEASE_S = 15.0
# A gateway that has not reported for FENCE_S stops sending requests; the others stop waiting for it after ABSENT_S.
FENCE_S, ABSENT_S, FORGET_S = 3.0, 5.0, 60.0


class Seen(BaseModel):
    """A gateway's confirmation that it sends nothing to the engine closed in this turn. `at` is in Unix seconds."""

    turn: int
    at: float


class WeightLease(BaseModel):
    """The gateway `holder` may replace weights in the pool `id` until `until`, in Unix seconds."""

    id: str
    holder: str = ""
    until: float = 0.0
    closing: str | None = None
    """The URL of the engine that no gateway may send requests to now."""
    turn: int = 0
    """Rises each time an engine is closed."""
    seen: dict[str, Seen] = Field(default_factory=dict[str, Seen])
    """By gateway."""


def taken(lease: WeightLease, holder: str, now: float) -> WeightLease | None:
    """The lease taken or renewed by this gateway; None while another one holds it."""
    if lease.holder != holder and now < lease.until:
        return None
    kept = {} if lease.holder == holder else {"closing": None}
    return lease.model_copy(update={"holder": holder, "until": now + LEASE_S, **kept})


def released(lease: WeightLease, holder: str) -> WeightLease | None:
    """The released lease; None if another gateway holds it by now."""
    return lease.model_copy(update={"holder": "", "until": 0.0, "closing": None}) if lease.holder == holder else None


def closing(lease: WeightLease, url: str) -> WeightLease:
    """The lease with the next engine closed."""
    return lease.model_copy(update={"closing": url, "turn": lease.turn + 1})


def closed_to(lease: WeightLease, holder: str, now: float) -> str | None:
    """The engine that this gateway must not send requests to, because another one replaces its weights."""
    return lease.closing if lease.holder != holder and now < lease.until else None


def noted(lease: WeightLease, holder: str, turn: int, now: float) -> WeightLease:
    """The lease with this gateway's confirmation of every closing up to that turn."""
    others = {name: seen for name, seen in lease.seen.items() if now - seen.at < FORGET_S}
    return lease.model_copy(update={"seen": {**others, holder: Seen(turn=turn, at=now)}})


def left_alone(lease: WeightLease, now: float) -> bool:
    """Whether all other live gateways confirmed this turn; a gateway that is silent for long sends no requests."""
    others = (seen for name, seen in lease.seen.items() if name != lease.holder)
    return all(seen.turn >= lease.turn or now - seen.at > ABSENT_S for seen in others)
