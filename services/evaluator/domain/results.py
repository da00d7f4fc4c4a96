"""What was asked of a model, what it answered, and how that reads as lines of an artifact."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from services.evaluator.domain.confidence import Confidence
from services.evaluator.domain.suite import Item
from shared.events import Artifact, Candidate, Interval, Score


class Target(BaseModel):
    """A model to be scored on a test split or a suite's task: the base model itself, or with an adapter on it.

    `test` holds the questions, or with kind `task` the task that says where they are. `protocol` tells apart ways of
    asking and measuring, so that a score of one is not taken for another's.
    """

    model_config = ConfigDict(frozen=True)

    base_model: str
    test: Artifact
    kind: Literal["test_split", "task"] = "test_split"
    adapter: Artifact | None = None
    version: str | None = None
    protocol: str = ""

    @classmethod
    def checkpoint(cls, candidate: Candidate, test: Artifact, protocol: str = "") -> "Target":
        return cls(base_model=candidate.base_model, test=test, protocol=protocol).of(candidate)

    def of(self, candidate: Candidate) -> "Target":
        """The same questions for another checkpoint of the base model."""
        return self.model_copy(update={"adapter": candidate.adapter, "version": candidate.version})

    @property
    def base(self) -> "Target":
        """The base model on the same test split."""
        return self.model_copy(update={"adapter": None, "version": None})

    def on(self, task: Artifact, judge: str = "") -> "Target":
        """The same model on a suite's task; `judge` names who judges its answers, where somebody does."""
        protocol = f"{self.protocol}-judge-{judge}" if judge else self.protocol
        return self.model_copy(update={"test": task, "kind": "task", "protocol": protocol})

    @property
    def key(self) -> str:
        """The same for the same weights on the same questions, asked and measured alike, whatever the job."""
        weights = self.base_model if self.adapter is None else f"{self.base_model}+{self.adapter.sha256}"
        return f"{weights}/{self.test.sha256}" + (f"/{self.protocol}" if self.protocol else "")

    @property
    def adapter_name(self) -> str | None:
        """The name under which an evaluator, and nobody else, loads the adapter into an engine."""
        return None if self.version is None else f"eval-{self.version}"


class Scored(BaseModel):
    """A target's scores; `answers` is a JSON Lines artifact of `{"prompt", "reference", "answer", "scores"}`.

    A line has `confidence` where the engine told how sure the model was.
    """

    model_config = ConfigDict(frozen=True)

    scores: dict[str, Score]
    answers: Artifact
    duration_s: float
    intervals: dict[str, Interval] = Field(default_factory=dict)
    item_errors: int = 0
    judge_invalid: int = 0
    """A judge's replies that were no judgement; each was asked for again."""
    subjects: dict[str, dict[str, Score]] = Field(default_factory=dict)
    """Each metric's mean item value by subject, where the items have subjects."""


@dataclass(frozen=True)
class Step:
    """One token that a model takes by itself, and the log-probabilities, in nats, of those that were asked for."""

    taken: int
    logprobs: Mapping[int, float]


@dataclass(frozen=True)
class Answer:
    """What a model said; or why the engine refused the question, which counts as saying nothing.

    `confidence` is told of written answers alone, by engines that tell it.
    """

    text: str
    error: str | None = None
    confidence: Confidence | None = None


def answer_lines(
    items: Sequence[Item], answers: Sequence[Answer], scores: Mapping[str, Sequence[float | None]]
) -> bytes:
    """One line an item; an item's scores lack the metrics that do not apply to it."""
    rows: list[dict[str, Any]] = []
    for index, (item, answer) in enumerate(zip(items, answers, strict=True)):
        own = {name: values[index] for name, values in scores.items() if values[index] is not None}
        row = {"prompt": item.prompt, "reference": item.reference, "answer": answer.text, "scores": own}
        more = {"choices": item.choices, "subject": item.subject, "question": item.question}
        row |= {name: value for name, value in more.items() if value}
        if answer.confidence is not None:
            row["confidence"] = answer.confidence.model_dump(mode="json")
        rows.append(row if answer.error is None else {**row, "error": answer.error})
    return _lines(rows)


def sample_lines(checkpoint: bytes, base: bytes, production: bytes | None = None) -> bytes:
    """A checkpoint's answers beside its base model's and production's, line by line, as `EvalDone.samples` promises."""
    rows: list[dict[str, Any]] = []
    for mine, other in zip(read_lines(checkpoint), read_lines(base), strict=True):
        rows.append({**mine, **_as(other, "base")})
    for row, other in zip(rows, read_lines(production or b""), strict=False):
        row |= _as(other, "production")
    return _lines(rows)


def item_scores(content: bytes) -> list[dict[str, float]]:
    """Each line's scores by metric."""
    return [row["scores"] for row in read_lines(content)]


def question(row: Mapping[str, Any]) -> str:
    """What a line of answers was asked, without a prompt's own words where a task says which they are."""
    return str(row.get("question") or row["prompt"][-1].get("content") or "")


def read_lines(content: bytes, limit: int | None = None) -> list[dict[str, Any]]:
    """The rows of a JSON Lines artifact, or the first `limit` of them."""
    return [json.loads(line) for line in content.splitlines()[:limit]]


def _as(row: Mapping[str, Any], who: str) -> dict[str, Any]:
    """What another model said, as a line of samples names it."""
    return {f"{who}_{name}": row[name] for name in ("answer", "scores", "confidence") if name in row}


def _lines(rows: Sequence[Mapping[str, Any]]) -> bytes:
    # ASCII, because a model may say half a surrogate pair, which no encoding takes.
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)
