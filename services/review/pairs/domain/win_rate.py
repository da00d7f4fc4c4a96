"""How often the checkpoint wins against each baseline: a tie counts a half."""

from collections.abc import Sequence
from statistics import fmean

from pydantic import BaseModel, ConfigDict

from services.review.pairs.domain.pair import Pair
from services.review.panels.domain.scoring import mean_interval
from shared.events import Interval

_WORTH = {"candidate": 1.0, "tie": 0.5, "baseline": 0.0}


class WinRate(BaseModel):
    """The mean over pairs of the mean over reviewers, from 0 to 1; None while nothing was compared.

    `candidate` and `baseline` are the names of the two models. `pairs` counts those with a preference, of `all_pairs`.
    """

    model_config = ConfigDict(frozen=True)

    candidate: str
    baseline: str
    rate: float | None
    interval: Interval | None
    pairs: int
    all_pairs: int
    wins: int
    ties: int
    losses: int


def win_rates(pairs: Sequence[Pair]) -> list[WinRate]:
    """The rate against each baseline, by its name."""
    by_models: dict[tuple[str, str], list[Pair]] = {}
    for pair in pairs:
        by_models.setdefault((pair.baseline.model, pair.candidate.model), []).append(pair)
    return [_win_rate(candidate, baseline, found) for (baseline, candidate), found in sorted(by_models.items())]


def _win_rate(candidate: str, baseline: str, pairs: Sequence[Pair]) -> WinRate:
    """The rate with its interval over pairs, and the preferences by kind."""
    each = [fmean(_WORTH[one.winner] for one in pair.preferences.values()) for pair in pairs if pair.preferences]
    winners = [one.winner for pair in pairs for one in pair.preferences.values()]
    return WinRate(
        candidate=candidate,
        baseline=baseline,
        rate=fmean(each) if each else None,
        interval=mean_interval(each, 0, 1),
        pairs=len(each),
        all_pairs=len(pairs),
        wins=winners.count("candidate"),
        ties=winners.count("tie"),
        losses=winners.count("baseline"),
    )
