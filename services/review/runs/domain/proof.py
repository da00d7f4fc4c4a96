"""The proof: answers of the chosen checkpoint to the test split, which had no part in the choice."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from shared.events import Artifact, EvalDone, EvaluatedModel, EvaluationAnswered, EvaluationRequested, ModelScores

CHECKPOINT, BASE, PRODUCTION = "checkpoint", "base", "production"
CONTAMINATED = "contaminated"
V = TypeVar("V")


def proof_id(job_id: str, step: int) -> str:
    """The one proof of a checkpoint."""
    return f"proof-{job_id}-{step}"


def needs_proof(choice: EvalDone) -> bool:
    """False where the test split was answered already, or where the checkpoint cannot be evaluated at all."""
    return choice.split == "validation" and choice.test is not None and choice.error is None


def proof_request(choice: EvalDone) -> EvaluationRequested:
    """Asks the chosen checkpoint, its base model and production the test split."""
    candidate, production = choice.candidate, choice.production_candidate
    models = [
        EvaluatedModel(name=CHECKPOINT, base_model=candidate.base_model, candidate=candidate),
        EvaluatedModel(name=BASE, base_model=candidate.base_model),
    ]
    if production is not None:
        models.append(EvaluatedModel(name=PRODUCTION, base_model=production.base_model, candidate=production))
    return EvaluationRequested(
        evaluation_id=proof_id(candidate.job_id, candidate.step),
        models=tuple(models),
        split=choice.test,
        job_id=candidate.job_id,
        owner=candidate.owner,
    )


def proved(choice: EvalDone, answered: EvaluationAnswered, samples: Artifact) -> EvalDone:
    """The evaluation that gates judge: the test split's figures, with the suites' figures of the choice."""
    found = {each.name: each for each in answered.results}
    mine, base = found[CHECKPOINT], found[BASE]
    production = found.get(PRODUCTION, ModelScores(name=PRODUCTION, scores={}))
    suites = tuple(each for each in choice.comparisons if _of_suite(each.metric))
    changes = {
        "split": "test",
        "scores": {**_suite_values(choice.scores), **mine.scores},
        "intervals": {**_suite_values(choice.intervals), **mine.intervals},
        "base_scores": {**_suite_values(choice.base_scores), **base.scores},
        "base_intervals": {**_suite_values(choice.base_intervals), **base.intervals},
        "production_scores": {**_suite_values(choice.production_scores), **production.scores},
        "production_intervals": {**_suite_values(choice.production_intervals), **production.intervals},
        "comparisons": (*answered.comparisons, *suites),
        "item_errors": mine.item_errors,
        "base_item_errors": base.item_errors,
        "samples": samples,
        "duration_s": answered.duration_s,
    }
    return choice.model_copy(update=changes)


def failed(choice: EvalDone, answered: EvaluationAnswered) -> EvalDone:
    """The evaluation of a checkpoint that could not be asked the test split: no gate passes."""
    return choice.model_copy(update={"split": "test", "error": answered.error})


def sample_rows(answered: bytes) -> Iterator[dict[str, Any]]:
    """The lines of a requested evaluation in the shape of `EvalDone.samples`."""
    for line in (each for each in answered.split(b"\n") if each):
        row = json.loads(line)
        answers, scores = row["answers"], row["scores"]
        yield {
            "prompt": row["prompt"],
            "reference": row["reference"],
            "answer": answers[CHECKPOINT],
            "scores": scores[CHECKPOINT],
            **{
                f"{name}_{kind}": values[name]
                for name in (BASE, PRODUCTION)
                for kind, values in (("answer", answers), ("scores", scores))
                if name in values
            },
        }


def _suite_values(values: Mapping[str, V]) -> dict[str, V]:
    return {name: value for name, value in values.items() if _of_suite(name) or name == CONTAMINATED}


def _of_suite(metric: str) -> bool:
    """Only metrics of suites have a dot: `<suite>.<task>.<metric>`."""
    return "." in metric
