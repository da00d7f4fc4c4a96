"""A target's scores out of its measured answers."""

from collections.abc import Mapping, Sequence

from services.evaluator.domain.metrics import Measured
from services.evaluator.domain.results import Answer, Scored
from services.evaluator.domain.suite import Item
from shared.events import Artifact, Score


def scored(
    items: Sequence[Item],
    answers: Sequence[Answer],
    measured: Mapping[str, Measured],
    lines: Artifact,
    duration_s: float,
) -> Scored:
    """Everything that is kept of a target; `lines` is the artifact of its answers."""
    return Scored(
        scores={name: value.score for name, value in measured.items()},
        answers=lines,
        duration_s=duration_s,
        intervals={name: value.interval for name, value in measured.items() if value.interval is not None},
        item_errors=sum(answer.error is not None for answer in answers),
        subjects=_by_subject([item.subject for item in items], measured),
    )


def _by_subject(subjects: Sequence[str], measured: Mapping[str, Measured]) -> dict[str, dict[str, Score]]:
    """Each subject's mean item value by metric; nothing for items without a subject."""
    found: dict[str, dict[str, Score]] = {}
    for subject in sorted(set(subjects) - {""}):
        for name, value in measured.items():
            own = [v for v, of in zip(value.items, subjects, strict=True) if of == subject and v is not None]
            if own:
                found.setdefault(subject, {})[name] = Score(value=sum(own) / len(own), n=len(own))
    return found
