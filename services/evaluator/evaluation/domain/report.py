"""Combines the results of the test split and of each suite's tasks into one report."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from services.evaluator.evaluation.domain.contamination import (
    TrainingPrompts,
    asked_text,
    contaminated,
    conversation_text,
)
from services.evaluator.scoring.domain.answer import item_scores, read_lines
from services.evaluator.scoring.domain.item import Item
from services.evaluator.scoring.domain.paired_test import comparisons, holm, value_pairs, verdict
from services.evaluator.scoring.domain.target_scores import TargetScores
from shared.events import Artifact, Comparison, Contamination, EvalDone, Interval, Score

MAX_METRICS = 200
MAX_SHORTENED_COMPARISONS = 300
_BY_METRIC = (
    "scores",
    "base_scores",
    "production_scores",
    "intervals",
    "base_intervals",
    "production_intervals",
    "unreadable",
)


@dataclass(frozen=True)
class TaskResult:
    """One set of questions, answered by a checkpoint, its base model and, if there is one, production.

    `name` is `<suite>.<task>`, empty for the test split; the lines are the models' answers.
    """

    name: str
    checkpoint: TargetScores
    base: TargetScores
    lines: bytes
    base_lines: bytes
    production: TargetScores | None = None
    production_lines: bytes | None = None
    weight: float = 1.0
    metric: str = ""
    """The task's main metric, which counts in its suite's score."""

    def full_name(self, metric: str) -> str:
        return f"{self.name}.{metric}" if self.name else metric


def scores(results: Sequence[TaskResult], of: Callable[[TaskResult], TargetScores | None]) -> dict[str, Score]:
    """One model's scores, under the names that gates use."""
    found = [(each, of(each)) for each in results]
    return {each.full_name(name): score for each, scored in found if scored for name, score in scored.scores.items()}


def all_comparisons(results: Sequence[TaskResult]) -> tuple[Comparison, ...]:
    """Every metric against the base model and against production; p-values are corrected within each."""
    with_base = [(each, each.base_lines) for each in results]
    with_production = [(each, each.production_lines) for each in results if each.production_lines is not None]
    return (*_comparisons("base", with_base), *_comparisons("production", with_production))


def suite_scores(
    suite: str, tasks: Sequence[TaskResult], of: Callable[[TaskResult], TargetScores | None]
) -> dict[str, Score]:
    """`<suite>.score`: the mean of the tasks' main metrics by weight; nothing if a task has no score."""
    found = [(each.weight, scored.scores.get(each.metric) if (scored := of(each)) else None) for each in tasks]
    values = [(weight, score) for weight, score in found if score is not None]
    if not values or len(values) < len(found):
        return {}
    mean = sum(weight * score.value for weight, score in values) / sum(weight for weight, _score in values)
    return {f"{suite}.score": Score(value=mean, n=sum(score.n for _weight, score in values))}


def kept(suite: str, tasks: Sequence[TaskResult], found: Sequence[Comparison]) -> dict[str, Score]:
    """`<suite>.kept`: 1 if no task's main metric is worse than the base model's by the test, else 0.

    The p-values are corrected over the suite's tasks only, so that further metrics do not weaken the test.
    """
    own = {each.full_name(each.metric) for each in tasks}
    tested = [each for each in found if each.against == "base" and each.metric in own]
    if not own or len(tested) < len(own):
        return {}
    corrected = holm([each.p_value for each in tested])
    verdicts = [verdict(each.difference, p) for each, p in zip(tested, corrected, strict=True)]
    worse = "worse" in verdicts
    return {f"{suite}.kept": Score(value=float(not worse), n=sum(each.n for each in tested))}


def intervals(results: Sequence[TaskResult], of: Callable[[TaskResult], TargetScores | None]) -> dict[str, Interval]:
    """One model's intervals, under the names of its scores."""
    scored = [(each, of(each)) for each in results]
    return {each.full_name(name): found for each, own in scored if own for name, found in own.intervals.items()}


def unreadable(results: Sequence[TaskResult]) -> dict[str, int]:
    """The checkpoint's answers that do not have the form that a metric reads, by metric."""
    return {
        each.full_name(name): count for each in results for name, count in each.checkpoint.unreadable.items() if count
    }


def contamination(result: TaskResult, training: TrainingPrompts) -> Contamination:
    """How many questions of a task the training rows contain."""
    questions = [asked_text(row) for row in read_lines(result.lines)]
    return Contamination(task=result.name, n=len(questions), seen=sum(contaminated(questions, training)))


def split_contamination(items: Sequence[Item], training: TrainingPrompts) -> Contamination:
    """How many questions of the test split the training rows contain; the split need not be answered."""
    questions = [each.question or conversation_text(each.prompt) for each in items]
    return Contamination(task="", n=len(questions), seen=sum(contaminated(questions, training)))


def contamination_score(found: Sequence[Contamination]) -> dict[str, Score]:
    """`contaminated`: the share of all questions that the training rows contain."""
    n = sum(each.n for each in found)
    return {"contaminated": Score(value=sum(each.seen for each in found) / n, n=n)} if n else {}


def shortened(done: EvalDone, complete: Artifact) -> EvalDone:
    """The main scores of an evaluation, for an event that would otherwise be too large; `complete` has all of them.

    Kept first are the test split's scores, then suites' scores, then the others in their order.
    """
    names = sorted(done.scores, key=_priority)[:MAX_METRICS]
    compared = sorted(done.comparisons, key=lambda each: _priority(each.metric))[:MAX_SHORTENED_COMPARISONS]
    kept_names = set(names)
    changes = {
        name: {key: value for key, value in getattr(done, name).items() if key in kept_names} for name in _BY_METRIC
    }
    return done.model_copy(update={**changes, "comparisons": tuple(compared), "subjects": {}, "report": complete})


def _priority(metric: str) -> int:
    return metric.count(".")


def subjects(results: Sequence[TaskResult]) -> dict[str, dict[str, Score]]:
    """The checkpoint's scores by metric, then subject."""
    found: dict[str, dict[str, Score]] = {}
    for each in results:
        for subject, values in each.checkpoint.subjects.items():
            for metric, score in values.items():
                found.setdefault(each.full_name(metric), {})[subject] = score
    return found


def _comparisons(against: str, others: Sequence[tuple[TaskResult, bytes]]) -> tuple[Comparison, ...]:
    values: Mapping[str, list[tuple[float, float]]] = {
        each.full_name(metric): pairs
        for each, lines in others
        for metric, pairs in value_pairs(item_scores(each.lines), item_scores(lines)).items()
    }
    return comparisons(values, against)
