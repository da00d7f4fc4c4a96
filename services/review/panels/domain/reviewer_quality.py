"""Reviewers whose scores need a look: they rush, drift, give one score always, differ at random, or are biased."""

from collections.abc import Mapping, Sequence
from statistics import fmean, median
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from services.review.panels.domain.reviewer_correlation import Correlation, correlation_with_others
from services.review.panels.domain.scored import LEAST_ITEMS, Scored

Kind = Literal["rushes", "drifts", "constant", "careless", "strict", "lenient", "inconsistent"]
SIGNIFICANCE = 0.001
"""Per test, so that a panel of five is falsely suspected in well under 5 % of reviews."""
LEAST_BIAS = 0.14
"""Of the scale's span: smaller differences in level are common and do no harm."""
CARELESS_SHARE = 0.7
"""A reviewer whose correlation with the others is below this share of theirs follows the answers too little."""
CARELESS_SIGNIFICANCE = 0.02


class Finding(BaseModel):
    """Why one reviewer was named, in words with the figures."""

    model_config = ConfigDict(frozen=True)

    reviewer: str
    kind: Kind
    reason: str


def findings(
    panel: Mapping[str, Sequence[Scored]], repeats: Mapping[str, Sequence[float]] | None = None
) -> list[Finding]:
    """All findings over a panel. `repeats` are each reviewer's distances between first and second score, in percent."""
    found: list[Finding] = []
    correlations = {name: correlation_with_others(panel, name) for name in panel}
    careless = {name: _careless(name, correlations) for name in panel}
    # Scores at random say nothing about the level of the others.
    careful = {name: rows for name, rows in panel.items() if careless[name] is None}
    for reviewer, scored in sorted(panel.items()):
        if len(scored) < LEAST_ITEMS:
            continue
        pairs = _paired(panel, reviewer)
        checks = (
            _constant(scored, pairs),
            careless[reviewer],
            _bias(careful, reviewer) if reviewer in careful else None,
            _drift(pairs),
            _rush(scored, [each for name, rows in panel.items() if name != reviewer for each in rows]),
            _inconsistent((repeats or {}).get(reviewer, ())),
        )
        found.extend(Finding(reviewer=reviewer, kind=kind, reason=why) for kind, why in filter(None, checks))
    return found


Found = tuple[Kind, str] | None
Pairs = Sequence[tuple[float, float]]


def _paired(panel: Mapping[str, Sequence[Scored]], reviewer: str) -> Pairs:
    """A reviewer's scores beside the median of the others', in the reviewer's order."""
    others: dict[str, list[float]] = {}
    for name, rows in panel.items():
        if name != reviewer:
            for row in rows:
                others.setdefault(row.item_id, []).append(row.percent)
    ordered = sorted(panel[reviewer], key=lambda row: row.at)
    return [(row.percent, median(others[row.item_id])) for row in ordered if row.item_id in others]


def _constant(scored: Sequence[Scored], pairs: Pairs) -> Found:
    varied = len({theirs for _, theirs in pairs}) > 1
    if varied and len({row.percent for row in scored}) == 1:
        return "constant", f"gave {scored[0].percent:.0f} of 100 to all {len(scored)} items, on which others differ"
    return None


def _careless(reviewer: str, correlations: Mapping[str, Correlation | None]) -> Found:
    """The correlation with the others is clearly below its share of the panel's."""
    own = correlations[reviewer]
    others = [found.value for name, found in correlations.items() if name != reviewer and found is not None]
    if own is None or not others or (expected := CARELESS_SHARE * median(others)) <= 0:
        return None
    if not own.clearly_below(expected, CARELESS_SIGNIFICANCE):
        return None
    theirs = median(others)
    return "careless", f"correlates {own.value:.2f} with the others over {own.items} items; theirs is {theirs:.2f}"


def _bias(panel: Mapping[str, Sequence[Scored]], reviewer: str) -> Found:
    """The median over the others of the mean paired difference, so that one odd reviewer accuses nobody else."""
    own = {row.item_id: row.percent for row in panel[reviewer]}
    rows = [[own[row.item_id] - row.percent for row in panel[name] if row.item_id in own] for name in panel]
    apart = [each for name, each in zip(panel, rows, strict=True) if name != reviewer and len(each) >= LEAST_ITEMS]
    if not apart or abs(mean := median(fmean(each) for each in apart)) < 100 * LEAST_BIAS:
        return None
    if median(_p_value(each) for each in apart) >= SIGNIFICANCE:
        return None
    kind: Kind = "strict" if mean < 0 else "lenient"
    return kind, f"scores {abs(mean):.0f} of 100 {'lower' if mean < 0 else 'higher'} than the others in the median"


def _p_value(apart: Sequence[float]) -> float:
    if len(set(apart)) == 1:
        return 0.0
    # Importing it takes a second or two, which every start of the service would wait for.
    from scipy import stats

    test: Any = stats.ttest_1samp(apart, 0)
    return float(test.pvalue)


def _drift(pairs: Pairs) -> Found:
    """The distance from the others changes with time."""
    if len(pairs) < 2 * LEAST_ITEMS:
        return None
    apart = [mine - theirs for mine, theirs in pairs]
    third = len(apart) // 3
    moved = fmean(apart[-third:]) - fmean(apart[:third])
    if len(set(apart)) == 1 or abs(moved) < 100 * LEAST_BIAS:
        return None
    # As above.
    from scipy import stats

    trend: Any = stats.spearmanr(range(len(apart)), apart)
    if trend.pvalue >= SIGNIFICANCE:
        return None
    return "drifts", f"scores {abs(moved):.0f} of 100 {'higher' if moved > 0 else 'lower'} at the end than at the start"


def _rush(scored: Sequence[Scored], others: Sequence[Scored]) -> Found:
    mine = [row.seconds for row in scored if row.seconds is not None]
    theirs = [row.seconds for row in others if row.seconds is not None]
    if len(mine) < LEAST_ITEMS or len(theirs) < LEAST_ITEMS or median(mine) >= 0.3 * median(theirs):
        return None
    return "rushes", f"takes {median(mine):.1f} s an item, the others {median(theirs):.1f} s"


def _inconsistent(distances: Sequence[float]) -> Found:
    if len(distances) < 3 or fmean(distances) < 25:
        return None
    return (
        "inconsistent",
        f"differs by {fmean(distances):.0f} of 100 from their own first scores on {len(distances)} repeats",
    )


def break_due(seconds: Sequence[float]) -> bool:
    """Whether the last ten items took half or one and a half times as long as the first ten."""
    if len(seconds) < 2 * LEAST_ITEMS:
        return False
    before, now = median(seconds[:LEAST_ITEMS]), median(seconds[-LEAST_ITEMS:])
    return before > 0 and not 0.5 < now / before < 1.5
