"""What a model answered, and how answers are stored as JSON Lines."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.evaluator.scoring.domain.answer_confidence import Confidence
from services.evaluator.scoring.domain.item import Item


@dataclass(frozen=True)
class TokenStep:
    """The token that a model takes next, and the log-probabilities, in nats, of the tokens that were asked about."""

    taken: int
    logprobs: Mapping[int, float]


@dataclass(frozen=True)
class Answer:
    """A model's answer. If the engine refused the question, the text is empty and `error` says why.

    `confidence` belongs to written answers only, and only if the engine reports log-probabilities.
    """

    text: str
    error: str | None = None
    confidence: Confidence | None = None


def answer_lines(
    items: Sequence[Item], answers: Sequence[Answer], scores: Mapping[str, Sequence[float | None]]
) -> bytes:
    """One line per item; an item's scores lack the metrics that do not apply to it."""
    rows: list[dict[str, Any]] = []
    for index, (item, answer) in enumerate(zip(items, answers, strict=True)):
        own = {name: values[index] for name, values in scores.items() if values[index] is not None}
        row = {"prompt": item.prompt, "reference": item.reference, "answer": answer.text, "scores": own}
        optional = {"choices": item.choices, "subject": item.subject, "question": item.question, "pair": item.pair}
        row |= {name: value for name, value in optional.items() if value}
        if answer.confidence is not None:
            row["confidence"] = answer.confidence.model_dump(mode="json")
        rows.append(row if answer.error is None else {**row, "error": answer.error})
    return to_jsonl(rows)


def sample_lines(checkpoint: bytes, base: bytes, production: bytes | None = None) -> bytes:
    """A checkpoint's answers beside those of its base model and of production, as `EvalDone.samples` describes."""
    rows: list[dict[str, Any]] = []
    for mine, other in zip(read_lines(checkpoint), read_lines(base), strict=True):
        rows.append({**mine, **_answer_of(other, "base")})
    for row, other in zip(rows, read_lines(production or b""), strict=False):
        row |= _answer_of(other, "production")
    return to_jsonl(rows)


def item_scores(content: bytes) -> list[dict[str, float]]:
    """Each line's scores by metric."""
    return [row["scores"] for row in read_lines(content)]


def question(row: Mapping[str, Any]) -> str:
    """The question of a line of answers, without the prompt around it if the task says which part it is."""
    return str(row.get("question") or row["prompt"][-1].get("content") or "")


def read_lines(content: bytes, limit: int | None = None) -> list[dict[str, Any]]:
    """The rows of a JSON Lines artifact, or the first `limit` of them."""
    lines = content.split(b"\n", -1 if limit is None else limit)[:limit]
    return [json.loads(line) for line in lines if line.strip()]


def to_jsonl(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """JSON Lines in ASCII: a model may write half a surrogate pair, which UTF-8 cannot encode."""
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def _answer_of(row: Mapping[str, Any], model: str) -> dict[str, Any]:
    """Another model's answer, under the names of `EvalDone.samples`."""
    return {f"{model}_{name}": row[name] for name in ("answer", "scores", "confidence") if name in row}
