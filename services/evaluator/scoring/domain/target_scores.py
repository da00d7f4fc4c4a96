"""A target's scores."""

from collections.abc import Mapping, Sequence

from pydantic import BaseModel, ConfigDict, Field

from services.evaluator.scoring.domain.answer import Answer
from services.evaluator.scoring.domain.item import Item
from services.evaluator.scoring.domain.metrics import Measured
from shared.events import Artifact, Interval, Score


class TargetScores(BaseModel):
    """A target's scores; `answers` is a JSON Lines artifact of `{"prompt", "reference", "answer", "scores"}`.

    A line has `confidence` if the engine reports log-probabilities.
    """

    model_config = ConfigDict(frozen=True)

    scores: dict[str, Score]
    answers: Artifact
    duration_s: float
    intervals: dict[str, Interval] = Field(default_factory=dict)
    item_errors: int = 0
    unreadable: dict[str, int] = Field(default_factory=dict)
    """Answers that do not have the form that a metric reads, by metric; only metrics that met some."""
    judge_invalid: int = 0
    """Invalid replies of the judge; each request was repeated."""
    versions: dict[str, str] = Field(default_factory=dict)
    """Versions of lm-evaluation-harness and its tasks, if it measured the scores."""
    subjects: dict[str, dict[str, Score]] = Field(default_factory=dict)
    """Each metric's mean item value by subject, if the items have subjects."""


def target_scores(
    items: Sequence[Item],
    answers: Sequence[Answer],
    measured: Mapping[str, Measured],
    lines: Artifact,
    duration_s: float,
) -> TargetScores:
    """The scores of measured answers; `lines` is the artifact of the answers."""
    return TargetScores(
        scores={name: value.score for name, value in measured.items()},
        answers=lines,
        duration_s=duration_s,
        intervals={name: value.interval for name, value in measured.items() if value.interval is not None},
        item_errors=sum(answer.error is not None for answer in answers),
        unreadable={name: value.unreadable for name, value in measured.items() if value.unreadable},
        subjects=_by_subject([item.subject for item in items], measured),
    )


def _by_subject(subjects: Sequence[str], measured: Mapping[str, Measured]) -> dict[str, dict[str, Score]]:
    """Each subject's mean item value by metric, without the items that have no subject."""
    found: dict[str, dict[str, Score]] = {}
    for subject in sorted(set(subjects) - {""}):
        for name, value in measured.items():
            own = [v for v, of in zip(value.items, subjects, strict=True) if of == subject and v is not None]
            if own:
                found.setdefault(subject, {})[name] = Score(value=sum(own) / len(own), n=len(own))
    return found
