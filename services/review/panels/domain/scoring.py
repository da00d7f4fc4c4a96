"""From scorecards to evidence: means over items with an interval over items, and agreement by criterion."""

import math
from collections.abc import Sequence
from statistics import fmean, stdev

from services.review.panels.domain.agreement import agreement
from services.review.panels.domain.scorecard import Scorecard
from services.review.policies.domain.evidence import Agreement, HumanEvidence
from services.review.policies.domain.policy import Policy
from shared.events import Interval

CONFIDENCE = 0.95


def human_evidence(cards: Sequence[Scorecard], policy: Policy) -> HumanEvidence | None:
    """The evidence over all scored items; None while nothing is scored."""
    counted = {card.item_id: points for card in cards if (points := counted_points(card))}
    if not counted:
        return None
    percents = [policy.rubric.percent(points) for points in counted.values()]
    return HumanEvidence(
        items=len(counted),
        missing=sum(max(card.wanted - len(card.scores), 0) for card in cards if card.decision is None),
        reviewers=len(reviewers_of(cards)),
        score=fmean(percents),
        interval=mean_interval(percents, 0, 100),
        criteria={name: fmean(points[name] for points in counted.values()) for name in policy.rubric.names},
        agreement=agreement_by_criterion(cards, policy),
    )


def counted_points(card: Scorecard) -> dict[str, float] | None:
    """An item's points by criterion: the adjudicator's where there are some, else the reviewers' mean."""
    if card.decision is not None:
        return {name: float(points) for name, points in card.decision.points.items()}
    scores = [score.points for score in card.scores.values()]
    return {name: fmean(each[name] for each in scores) for name in scores[0]} if scores else None


def item_scores(cards: Sequence[Scorecard], policy: Policy) -> dict[str, float]:
    """Each item's score from 0 to 100."""
    found = {card.item_id: counted_points(card) for card in cards}
    return {item_id: policy.rubric.percent(points) for item_id, points in found.items() if points}


def agreement_by_criterion(cards: Sequence[Scorecard], policy: Policy) -> dict[str, Agreement]:
    """Agreement of the reviewers' own scores; what an adjudicator decided does not count here."""
    reviewers = reviewers_of(cards)
    if len(reviewers) < 2:
        return {}
    return {
        name: agreement(score_table(cards, reviewers, name), policy.agreement_level, policy.seed)
        for name in policy.rubric.names
    }


def equal_items(cards: Sequence[Scorecard], policy: Policy) -> dict[str, int]:
    """How many items with at least two scores have equal ones, by criterion."""
    differences = [card.differences() for card in cards if len(card.scores) > 1]
    return {name: sum(each[name] == 0 for each in differences) for name in policy.rubric.names}


def reviewers_of(cards: Sequence[Scorecard]) -> list[str]:
    """Everybody who scored at least one item."""
    return sorted({reviewer for card in cards for reviewer in card.scores})


def score_table(cards: Sequence[Scorecard], reviewers: Sequence[str], criterion: str) -> list[list[float | None]]:
    """One row an item, one column a reviewer, None where a score is missing."""
    rows: list[list[float | None]] = []
    for card in cards:
        given = {reviewer: float(score.points[criterion]) for reviewer, score in card.scores.items()}
        rows.append([given.get(reviewer) for reviewer in reviewers])
    return rows


def mean_interval(values: Sequence[float], lowest: float, highest: float) -> Interval | None:
    """Student's t interval of the mean, cut at the ends of the scale; None for fewer than two values."""
    if len(values) < 2:
        return None
    # Importing it takes a second or two, which every start of the service would wait for.
    from scipy import stats

    half = float(stats.t.ppf((1 + CONFIDENCE) / 2, len(values) - 1)) * stdev(values) / math.sqrt(len(values))
    mean = fmean(values)
    low, high = max(lowest, mean - half), min(highest, mean + half)
    return Interval(low=low, high=high, level=CONFIDENCE, method="Student's t over items")
