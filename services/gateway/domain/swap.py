"""Who may replace an engine's weights, and what an engine says of the weights that it holds."""

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import BaseModel, Field

from shared.weights.header import Tensor, UnfitWeights

# So long is a gateway's word good that it replaces weights; it gives it again three times as often.
LEASE_S = 15.0
# A gateway that could not say for this long that it is there stops asking, and later is no longer waited for.
FENCE_S, ABSENT_S, FORGET_S = 3.0, 5.0, 60.0
# A marker of weights that may be half one version's and half another's.
UNSURE = "assay-replacing"


@dataclass(frozen=True)
class Held:
    """What an engine says: the marker of its weights, and whether it holds requests back."""

    marker: str
    paused: bool

    @property
    def sure(self) -> bool:
        """Whether answers come from one version, and are given at all."""
        return self.marker != UNSURE and not self.paused


class Seen(BaseModel):
    """One gateway's word: it asks nothing of the engine that was closed in this turn. `at` is in Unix seconds."""

    turn: int
    at: float


class Lease(BaseModel):
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


def taken(lease: Lease, holder: str, now: float) -> Lease | None:
    """The lease in this gateway's hand, new or for longer; None while it is another's."""
    if lease.holder != holder and now < lease.until:
        return None
    kept = {} if lease.holder == holder else {"closing": None}
    return lease.model_copy(update={"holder": holder, "until": now + LEASE_S, **kept})


def released(lease: Lease, holder: str) -> Lease | None:
    """The lease out of this gateway's hand; None where it is another's by now."""
    return lease.model_copy(update={"holder": "", "until": 0.0, "closing": None}) if lease.holder == holder else None


def closing(lease: Lease, url: str) -> Lease:
    """The lease with the next engine that nobody must ask."""
    return lease.model_copy(update={"closing": url, "turn": lease.turn + 1})


def closed_to(lease: Lease, holder: str, now: float) -> str | None:
    """The engine that this gateway must not ask, since another replaces its weights."""
    return lease.closing if lease.holder != holder and now < lease.until else None


def noted(lease: Lease, holder: str, turn: int, now: float) -> Lease:
    """The lease with this gateway's word that it is there, and asks nothing of what was closed up to that turn."""
    others = {name: seen for name, seen in lease.seen.items() if now - seen.at < FORGET_S}
    return lease.model_copy(update={"seen": {**others, holder: Seen(turn=turn, at=now)}})


def left_alone(lease: Lease, now: float) -> bool:
    """Whether all others that are there gave their word for this turn; who was not heard of for long asks nothing."""
    others = (seen for name, seen in lease.seen.items() if name != lease.holder)
    return all(seen.turn >= lease.turn or now - seen.at > ABSENT_S for seen in others)


def check_whole(found: Mapping[str, Tensor], base: Mapping[str, Tensor]) -> None:
    """Raises `UnfitWeights` unless every tensor of the base model is there in its own shape, and no other.

    An engine only warns of a tensor that is missing and keeps the old one: its answers would come from two versions.
    """
    if not base:
        raise UnfitWeights("the base model's files cannot be read from here, so nothing can be checked against them")
    if missing := sorted(base.keys() - found.keys()):
        raise UnfitWeights(f"the checkpoint lacks {len(missing)} tensors, such as {missing[0]!r:.200}")
    if unknown := sorted(found.keys() - base.keys()):
        raise UnfitWeights(f"the checkpoint holds what the base model does not: {unknown[0]!r:.200}")
    for name, tensor in base.items():
        if found[name].shape != tensor.shape:
            raise UnfitWeights(f"{name!r:.200} is {found[name].shape} in the checkpoint, {tensor.shape} in the base")
