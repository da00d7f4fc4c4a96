"""The lease to replace the weights of a pool's engines, one gateway at a time."""

from pydantic import BaseModel, Field

from shared.lease import Lease

# Lifetime of the lease to replace weights; it is renewed every 5 s.
LEASE_S = 15.0
# A gateway that has not reported for FENCE_S stops sending requests; the others stop waiting for it after ABSENT_S.
FENCE_S, ABSENT_S, FORGET_S = 3.0, 5.0, 60.0


class Seen(BaseModel):
    """A gateway's confirmation that it sends nothing to the engine closed in this turn. `at` is in Unix seconds."""

    turn: int
    at: float


class WeightLease(BaseModel):
    """The gateway that holds `lease` may replace weights in the pool `id`.

    With the URL of an engine as `id`, the lease says for which gateway and pool the engine gets weights.
    """

    id: str
    lease: Lease = Lease()
    closing: str | None = None
    """The URL of the engine that no gateway may send requests to now."""
    turn: int = 0
    """Rises each time an engine is closed."""
    seen: dict[str, Seen] = Field(default_factory=dict[str, Seen])
    """By gateway."""

    @property
    def holder(self) -> str:
        return self.lease.holder


def taken(known: WeightLease, holder: str, now: float) -> WeightLease | None:
    """The lease taken or renewed by this gateway; None while another one holds it."""
    claimed = known.lease.claim(holder, now, LEASE_S)
    if claimed is None:
        return None
    kept = {} if known.holder == holder else {"closing": None}
    return known.model_copy(update={"lease": claimed, **kept})


def renewed(known: WeightLease, holder: str, now: float) -> WeightLease:
    """The lease for another `LEASE_S`; raises `LeaseLost` if another gateway has it."""
    return known.model_copy(update={"lease": known.lease.renew(holder, now, LEASE_S)})


def released(known: WeightLease, holder: str) -> WeightLease | None:
    """The released lease; None if another gateway holds it by now."""
    if known.holder != holder:
        return None
    return known.model_copy(update={"lease": known.lease.release(holder), "closing": None})


def closing(lease: WeightLease, url: str) -> WeightLease:
    """The lease with the next engine closed."""
    return lease.model_copy(update={"closing": url, "turn": lease.turn + 1})


def closed_to(lease: WeightLease, holder: str, now: float) -> str | None:
    """The engine that this gateway must not send requests to, because another one replaces its weights."""
    return lease.closing if lease.holder != holder and not lease.lease.is_free(now) else None


def noted(lease: WeightLease, holder: str, turn: int, now: float) -> WeightLease:
    """The lease with this gateway's confirmation of every closing up to that turn."""
    others = {name: seen for name, seen in lease.seen.items() if now - seen.at < FORGET_S}
    return lease.model_copy(update={"seen": {**others, holder: Seen(turn=turn, at=now)}})


def left_alone(lease: WeightLease, now: float) -> bool:
    """Whether all other live gateways confirmed this turn; a gateway that is silent for long sends no requests."""
    others = (seen for name, seen in lease.seen.items() if name != lease.holder)
    return all(seen.turn >= lease.turn or now - seen.at > ABSENT_S for seen in others)
