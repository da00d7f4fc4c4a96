"""One report out of what each set of questions told: the test split's, and those of each suite's tasks."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from services.evaluator.domain.comparison import compared, pairs, verdict
from services.evaluator.domain.contamination import Training, seen
from services.evaluator.domain.results import Scored, item_scores, question, read_lines
from services.evaluator.domain.statistics import holm
from shared.events import Comparison, Contamination, Interval, Score


@dataclass(frozen=True)
class Asked:
    """One set of questions as a checkpoint, its base model and, where there is one, production answered it.

    `name` is `<suite>.<task>`, empty for the test split; the lines are those of each model's answers.
    """

    name: str
    checkpoint: Scored
    base: Scored
    lines: bytes
    base_lines: bytes
    production: Scored | None = None
    production_lines: bytes | None = None
    weight: float = 1.0
    metric: str = ""
    """The task's own metric, which stands for it in its suite's score."""

    def named(self, metric: str) -> str:
        return f"{self.name}.{metric}" if self.name else metric


def scores(asked: Sequence[Asked], of: Callable[[Asked], Scored | None]) -> dict[str, Score]:
    """One model's scores under the names that gates use."""
    found = [(each, of(each)) for each in asked]
    return {each.named(name): score for each, scored in found if scored for name, score in scored.scores.items()}


def comparisons(asked: Sequence[Asked]) -> tuple[Comparison, ...]:
    """Every metric against the base model and against production; p-values are corrected over all of each."""
    with_base = [(each, each.base_lines) for each in asked]
    with_production = [(each, each.production_lines) for each in asked if each.production_lines is not None]
    return (*_against("base", with_base), *_against("production", with_production))


def suite_scores(suite: str, tasks: Sequence[Asked], of: Callable[[Asked], Scored | None]) -> dict[str, Score]:
    """`<suite>.score`: the mean of the tasks' own metrics by weight. Nothing where a task was not scored."""
    found = [(each.weight, scored.scores.get(each.metric) if (scored := of(each)) else None) for each in tasks]
    values = [(weight, score) for weight, score in found if score is not None]
    if not values or len(values) < len(found):
        return {}
    mean = sum(weight * score.value for weight, score in values) / sum(weight for weight, _score in values)
    return {f"{suite}.score": Score(value=mean, n=sum(score.n for _weight, score in values))}


def kept(suite: str, tasks: Sequence[Asked], found: Sequence[Comparison]) -> dict[str, Score]:
    """`<suite>.kept`: 1 where no task's own metric is worse than the base model's by the test, else 0.

    The p-values are corrected for being as many as the suite has tasks: whether something was forgotten is one
    question, which further metrics must not make harder to answer.
    """
    own = {each.named(each.metric) for each in tasks}
    tested = [each for each in found if each.against == "base" and each.metric in own]
    if not own or len(tested) < len(own):
        return {}
    corrected = holm([each.p_value for each in tested])
    verdicts = [verdict(each.difference, p) for each, p in zip(tested, corrected, strict=True)]
    worse = "worse" in verdicts
    return {f"{suite}.kept": Score(value=float(not worse), n=sum(each.n for each in tested))}


def intervals(asked: Sequence[Asked], of: Callable[[Asked], Scored]) -> dict[str, Interval]:
    """One model's intervals under the names of its scores."""
    return {each.named(name): found for each in asked for name, found in of(each).intervals.items()}


def contamination(asked: Asked, training: Training) -> Contamination:
    """How many of one set of questions training held."""
    questions = [question(row) for row in read_lines(asked.lines)]
    return Contamination(task=asked.name, n=len(questions), seen=sum(seen(questions, training)))


def contaminated(found: Sequence[Contamination]) -> dict[str, Score]:
    """`contaminated`: the share of all questions that training held."""
    n = sum(each.n for each in found)
    return {"contaminated": Score(value=sum(each.seen for each in found) / n, n=n)} if n else {}


def subjects(asked: Sequence[Asked]) -> dict[str, dict[str, Score]]:
    """The checkpoint's scores by metric, then subject."""
    found: dict[str, dict[str, Score]] = {}
    for each in asked:
        for subject, values in each.checkpoint.subjects.items():
            for metric, score in values.items():
                found.setdefault(each.named(metric), {})[subject] = score
    return found


def _against(against: str, others: Sequence[tuple[Asked, bytes]]) -> tuple[Comparison, ...]:
    paired: Mapping[str, list[tuple[float, float]]] = {
        each.named(metric): found
        for each, lines in others
        for metric, found in pairs(item_scores(each.lines), item_scores(lines)).items()
    }
    return compared(paired, against)
