"""How often the checkpoint wins against production: a tie counts a half."""

from collections.abc import Sequence
from statistics import fmean

from pydantic import BaseModel, ConfigDict

from services.review.pairs.domain.pair import Pair
from services.review.panels.domain.scoring import mean_interval
from shared.events import Interval

_WORTH = {"candidate": 1.0, "tie": 0.5, "production": 0.0}


class WinRate(BaseModel):
    """The mean over pairs of the mean over reviewers, from 0 to 1; None while nothing was compared."""

    model_config = ConfigDict(frozen=True)

    rate: float | None
    interval: Interval | None
    pairs: int
    wins: int
    ties: int
    losses: int


def win_rate(pairs: Sequence[Pair]) -> WinRate:
    """The rate with its interval over pairs, and the preferences by kind."""
    each = [fmean(_WORTH[one.winner] for one in pair.preferences.values()) for pair in pairs if pair.preferences]
    winners = [one.winner for pair in pairs for one in pair.preferences.values()]
    return WinRate(
        rate=fmean(each) if each else None,
        interval=mean_interval(each, 0, 1),
        pairs=len(each),
        wins=winners.count("candidate"),
        ties=winners.count("tie"),
        losses=winners.count("production"),
    )
