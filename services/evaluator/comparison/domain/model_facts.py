"""What is known of how checkpoints were made, and in what they differ: data, method, prompt."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from services.evaluator.evaluation.domain.evaluation import Evaluation

Fact = Literal[
    "base_model",
    "training_rows",
    "questions",
    "tuning",
    "lora_rank",
    "learning_rate",
    "n_epochs",
    "batch_size",
    "template",
    "step",
]
_DIGEST_LENGTH = 12


@dataclass(frozen=True)
class FactLine:
    """One fact of every checkpoint, in the order of the comparison; None where it is not known."""

    fact: Fact
    values: tuple[str | None, ...]

    @property
    def differs(self) -> bool:
        return len(set(self.values)) > 1


def facts_of(evaluation: Evaluation) -> dict[Fact, str | None]:
    """The facts of one checkpoint; data are named by the beginning of their digest."""
    candidate = evaluation.done.candidate
    template = candidate.template
    return {
        "training_rows": evaluation.train.sha256[:_DIGEST_LENGTH] if evaluation.train else None,
        "questions": evaluation.done.suite,
        "base_model": candidate.base_model,
        "tuning": candidate.tuning,
        "lora_rank": str(candidate.lora_rank) if candidate.tuning == "lora" else None,
        "learning_rate": _number(candidate.learning_rate),
        "n_epochs": _number(candidate.n_epochs),
        "batch_size": _number(candidate.batch_size),
        "template": f"{template.name}@{template.version}" if template else None,
        "step": str(evaluation.step),
    }


def _number(value: float | None) -> str | None:
    return None if value is None else f"{value:.4g}"


def fact_lines(facts: Sequence[Mapping[Fact, str | None]]) -> list[FactLine]:
    """Those that differ first."""
    names: list[Fact] = [*facts[0]] if facts else []
    lines = [FactLine(name, tuple(each[name] for each in facts)) for name in names]
    return sorted(lines, key=lambda line: not line.differs)
