"""An evaluation on request: its models, what they answered, and how that is published."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from pydantic import BaseModel

from services.evaluator.evaluation.domain.report import MAX_METRICS, MAX_SHORTENED_COMPARISONS
from services.evaluator.scoring.domain.answer import item_scores, read_lines, to_jsonl
from services.evaluator.scoring.domain.paired_test import comparisons, value_pairs
from services.evaluator.scoring.domain.target import Target
from services.evaluator.scoring.domain.target_scores import TargetScores
from shared.events import Artifact, Comparison, EvaluatedModel, EvaluationAnswered, EvaluationRequested, ModelScores


class RequestedEvaluation(BaseModel):
    """A stored evaluation on request; `answered` is None while it runs. `id` is the evaluation's."""

    id: str
    owner: str = ""
    created_at: int = 0
    """In Unix seconds."""
    requested: EvaluationRequested | None = None
    done: int = 0
    total: int = 0
    answered: EvaluationAnswered | None = None

    @classmethod
    def of(cls, event: EvaluationRequested) -> Self:
        return cls(id=event.evaluation_id, owner=event.owner, created_at=event.created_at, requested=event)


@dataclass(frozen=True)
class AskedTask:
    """One set of questions as each model answered it; `name` is empty unless it is a suite's task."""

    name: str
    scored: tuple[TargetScores, ...]
    lines: tuple[bytes, ...]

    def full_name(self, metric: str) -> str:
        return f"{self.name}.{metric}" if self.name else metric


def target_of(model: EvaluatedModel, questions: Target) -> Target:
    """The questions of a target for one of the models."""
    target = questions.model_copy(update={"base_model": model.base_model})
    return target.base if model.candidate is None else target.of(model.candidate)


def model_scores(model: EvaluatedModel, place: int, tasks: Sequence[AskedTask]) -> ModelScores:
    own = [(task, task.scored[place]) for task in tasks]
    return ModelScores(
        name=model.name,
        scores={task.full_name(name): score for task, scored in own for name, score in scored.scores.items()},
        intervals={task.full_name(name): found for task, scored in own for name, found in scored.intervals.items()},
        item_errors=sum(scored.item_errors for _task, scored in own),
    )


def compared_with_first(models: Sequence[EvaluatedModel], tasks: Sequence[AskedTask]) -> tuple[Comparison, ...]:
    """The first model against each other one; p-values are corrected within each pair of models."""
    found: list[Comparison] = []
    for place, model in enumerate(models[1:], start=1):
        values = {
            task.full_name(metric): pairs
            for task in tasks
            for metric, pairs in value_pairs(item_scores(task.lines[0]), item_scores(task.lines[place])).items()
        }
        found += comparisons(values, model.name)
    return tuple(found)


def sample_lines(models: Sequence[EvaluatedModel], tasks: Sequence[AskedTask]) -> bytes:
    """One line per question: task, prompt, reference, and each model's answer and item scores by its name."""
    rows: list[Mapping[str, Any]] = [
        {
            "task": task.name,
            "prompt": each[0]["prompt"],
            "reference": each[0]["reference"],
            "answers": {model.name: row["answer"] for model, row in zip(models, each, strict=True)},
            "scores": {model.name: row["scores"] for model, row in zip(models, each, strict=True)},
        }
        for task in tasks
        for each in zip(*(read_lines(lines) for lines in task.lines), strict=True)
    ]
    return to_jsonl(rows)


def shortened(answered: EvaluationAnswered, complete: Artifact) -> EvaluationAnswered:
    """The first scores of an evaluation, for an event that would otherwise be too large; `complete` has all of them."""
    results = tuple(
        each.model_copy(update={"scores": dict(list(each.scores.items())[:MAX_METRICS]), "intervals": {}})
        for each in answered.results
    )
    changes = {"results": results, "comparisons": answered.comparisons[:MAX_SHORTENED_COMPARISONS], "report": complete}
    return answered.model_copy(update=changes)
