"""The human, private and general scores of a version, taken from its evaluation and its review."""

from collections.abc import Mapping

from services.review.policies.domain.evidence import HumanEvidence
from services.review.runs.domain.advice import Figure, Standing
from services.review.runs.domain.run import Run
from shared.events import EvalDone, Interval, Score

GENERAL = "general.score"


def standing(run: Run, evaluation: EvalDone, human: HumanEvidence | None) -> Standing:
    """The scores of a run's chosen checkpoint."""
    return Standing(
        version=evaluation.candidate.version,
        human=_human(human),
        private=_figure(evaluation.scores, evaluation.intervals, run.rank_by),
        general=_general(evaluation.scores, evaluation.intervals),
    )


def production_standing(evaluation: EvalDone, human: HumanEvidence | None, rank_by: str) -> Standing:
    """The scores of the version in production, measured beside the checkpoint's."""
    return Standing(
        version=evaluation.production or "",
        human=_human(human),
        private=_figure(evaluation.production_scores, evaluation.production_intervals, rank_by),
        general=_general(evaluation.production_scores, evaluation.production_intervals),
    )


def _human(human: HumanEvidence | None) -> Figure | None:
    if human is None:
        return None
    interval = human.interval
    return Figure(value=human.score, low=interval.low if interval else None, high=interval.high if interval else None)


def _general(scores: Mapping[str, Score], intervals: Mapping[str, Interval]) -> Figure | None:
    """The suite `general`, or the first suite that has a score."""
    suites = sorted(name for name in scores if name.endswith(".score") and name.count(".") == 1)
    metric = GENERAL if GENERAL in suites else next(iter(suites), None)
    return _figure(scores, intervals, metric) if metric else None


def _figure(scores: Mapping[str, Score], intervals: Mapping[str, Interval], metric: str) -> Figure | None:
    score, interval = scores.get(metric), intervals.get(metric)
    if score is None or score.n == 0:
        return None
    return Figure(value=score.value, low=interval.low if interval else None, high=interval.high if interval else None)
