"""The metrics that every test split gets. Each is from 0 to 1, for each item and overall."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sacrebleu.metrics.bleu import BLEU, BLEUScore

from services.evaluator.scoring.domain import intervals
from services.evaluator.scoring.domain.chinese_text import mostly_chinese
from shared.events import Interval, Score
from shared.words import words

# Part of a scoring's key. Raise it with any change of a metric's values or of a row's meaning, so that stored scores
# are not reused.
VERSION = 3

_NOT_JSON = object()


@dataclass(frozen=True)
class Measured:
    """One metric: each item's value, None where it does not apply, and the overall score with its interval."""

    items: tuple[float | None, ...]
    score: Score
    interval: Interval | None
    unreadable: int = 0
    """Answers that do not have the form that the metric reads; they count as wrong."""


Metric = Callable[[Sequence[str], Sequence[str]], Measured | None]


def exact_match(answers: Sequence[str], references: Sequence[str]) -> Measured:
    """1 if the answer equals the reference as text, without surrounding space, or as JSON if both are; the mean."""
    return mean(tuple(float(_matches(a, r)) for a, r in zip(answers, references, strict=True)))


def json_fields(answers: Sequence[str], references: Sequence[str]) -> Measured | None:
    """The share of the reference's fields that the answer has right; 0 for answers that are not JSON objects. The mean.

    References that are not JSON objects are left out; None if all are left out.
    """
    items = tuple(_field_share(_json(a), _json(r)) for a, r in zip(answers, references, strict=True))
    if all(value is None for value in items):
        return None
    unreadable = sum(
        value is not None and not isinstance(_json(answer), dict) for value, answer in zip(items, answers, strict=True)
    )
    return replace(mean(items), unreadable=unreadable)


def bleu(answers: Sequence[str], references: Sequence[str]) -> Measured:
    """Corpus BLEU (Papineni et al. 2002) by sacrebleu, over 100.

    An item's value is its sentence BLEU; corpus BLEU is not their mean. If most letters of the references are Chinese,
    texts are split into characters. N-gram orders longer than the texts are left out: otherwise a right answer of three
    words would be 0.
    """
    metric = BLEU(effective_order=True, tokenize="zh" if mostly_chinese(references) else "13a")
    sentences = [metric.sentence_score(a, [r]) for a, r in zip(answers, references, strict=True)]
    corpus = metric.corpus_score(list(answers), [list(references)]).score
    return Measured(
        tuple(_unit(sentence.score) for sentence in sentences),
        Score(value=_unit(corpus), n=len(sentences)),
        intervals.statistic_interval(lambda drawn: _corpus_bleu([sentences[at] for at in drawn]), len(sentences)),
    )


def rouge_l(answers: Sequence[str], references: Sequence[str]) -> Measured:
    """F-measure of the longest common subsequence (Lin 2004), over words and CJK characters; the mean.

    Equal to rouge-score's, whose import takes seconds of processor time in each worker.
    """
    pairs = zip(answers, references, strict=True)
    return mean(tuple(_lcs_f_measure(words(answer), words(reference)) for answer, reference in pairs))


def accuracy(answers: Sequence[str], references: Sequence[str]) -> Measured:
    """1 if the answer is the label or choice, without surrounding space; the mean."""
    return mean(tuple(float(a.strip() == r.strip()) for a, r in zip(answers, references, strict=True)))


METRICS: dict[str, Metric] = {
    "exact_match": exact_match,
    "json_fields": json_fields,
    "bleu": bleu,
    "rouge_l": rouge_l,
}
"""Measured of every test split."""

PLAIN: dict[str, Metric] = {**METRICS, "accuracy": accuracy}
"""Every metric of this file."""

RATING = "judge"
"""The metric of a judge that rates by the rubric of a policy."""
JUDGE_METRICS = (RATING, "judge_pair", "judge_safe")
"""Metrics that a judge gives."""

LESS_IS_BETTER = frozenset(
    {"mae", "mse", "rmse", "hamming_loss", "perplexity", "first_token_s", "memory_gib", "fairness_gap"}
    # Those of lm-evaluation-harness.
    | {"word_perplexity", "byte_perplexity", "bits_per_byte"}
)
"""Metrics whose figure, other than their items' values, is better the lower it is."""


def main_metric(names: Sequence[str]) -> str | None:
    """The one that stands for all: a suite's score, else whether the answers are right, else the first."""
    suites = [name for name in names if name.endswith(".score")]
    exact = [name for name in ("accuracy", "exact_match") if name in names]
    return next(iter([*suites, *exact, *names]), None)


def measure(
    answers: Sequence[str], references: Sequence[str], asked: Mapping[str, Metric] = METRICS
) -> dict[str, Measured]:
    """The metrics that apply to these references, by name."""
    measured = {name: metric(answers, references) for name, metric in asked.items()}
    return {name: value for name, value in measured.items() if value is not None}


class Tokens:
    """A tokenizer for rouge-score, whose own drops all characters that are not ASCII."""

    def tokenize(self, text: str) -> list[str]:
        return words(text)


def _lcs_f_measure(said: Sequence[str], wanted: Sequence[str]) -> float:
    if not said or not wanted:
        return 0.0
    # Each row holds the length of the longest common subsequence with every prefix of `wanted`.
    row = [0] * (len(wanted) + 1)
    for word in said:
        before = row
        row = [0]
        for at, other in enumerate(wanted):
            row.append(before[at] + 1 if word == other else max(before[at + 1], row[at]))
    precision, recall = row[-1] / len(said), row[-1] / len(wanted)
    return 2 * precision * recall / (precision + recall) if row[-1] else 0.0


def mean(items: tuple[float | None, ...]) -> Measured:
    """The mean of the values that apply, with its interval."""
    values = [value for value in items if value is not None]
    score = Score(value=sum(values) / len(values) if values else 0.0, n=len(values))
    return Measured(items, score, intervals.mean_interval(values) if values else None)


def _corpus_bleu(sentences: Sequence[BLEUScore]) -> float:
    """Corpus BLEU from each sentence's counts of matching and all n-grams and its lengths."""
    correct = [sum(column) for column in zip(*(sentence.counts for sentence in sentences), strict=True)]
    total = [sum(column) for column in zip(*(sentence.totals for sentence in sentences), strict=True)]
    sys_len, ref_len = sum(s.sys_len for s in sentences), sum(s.ref_len for s in sentences)
    return _unit(BLEU.compute_bleu(correct, total, sys_len, ref_len, effective_order=True).score)


def _unit(percent: float) -> float:
    return min(1.0, max(0.0, percent / 100))


def _matches(answer: str, reference: str) -> bool:
    if answer.strip() == reference.strip():
        return True
    said, wanted = _json(answer), _json(reference)
    return said is not _NOT_JSON and wanted is not _NOT_JSON and _equal(said, wanted)


def _field_share(answer: Any, reference: Any) -> float | None:
    if not isinstance(reference, dict) or not reference:
        return None
    if not isinstance(answer, dict):
        return 0.0
    right = sum(name in answer and _equal(answer[name], value) for name, value in reference.items())
    return right / len(reference)


def _json(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return _NOT_JSON


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _equal(one: Any, other: Any) -> bool:
    """Equal as JSON: 1 is 1.0, but true is not 1."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_equal(value, other[name]) for name, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_equal, one, other))
    return (type(one) is type(other) and one == other) or (_both_numbers(one, other) and one == other)


def _both_numbers(one: Any, other: Any) -> bool:
    return isinstance(one, int | float) and isinstance(other, int | float)
