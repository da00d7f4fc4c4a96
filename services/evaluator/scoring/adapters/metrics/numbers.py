"""Regression metrics and ROC AUC by scikit-learn.

An answer's number is its text; `1,200` and `83 %` are numbers. An answer that is not a number counts as the reference
number that is farthest from its own reference. So it is not left out, and not better than any known number.
"""

import math
import statistics
from collections.abc import Callable, Sequence
from typing import Any

from sklearn import metrics as sklearn

from services.evaluator.scoring.adapters.metrics.text import TextMetric
from services.evaluator.scoring.domain.item import CannotBeScored


class Numbers(TextMetric):
    """An item's value is its negative error, so that higher is better; the score has the metric's usual sign."""

    source = "scikit-learn"
    range = "0 and more, 0 is best"
    averaged = False
    score: Callable[..., Any]

    def error(self, off: float) -> float:
        return abs(off)

    def readable(self, answer: str) -> bool:
        return _number(answer) is not None

    def items(self, answers: Sequence[str], references: Sequence[str]) -> list[float]:
        said, wanted = _numbers(answers, references)
        return [-self.error(said_one - wanted_one) for said_one, wanted_one in zip(said, wanted, strict=True)]

    def figure(self, answers: Sequence[str], references: Sequence[str]) -> float:
        said, wanted = _numbers(answers, references)
        return float(type(self).score(wanted, said))


class Mae(Numbers):
    definition = "Mean absolute error."
    score = staticmethod(sklearn.mean_absolute_error)


class Mse(Numbers):
    definition = "Mean squared error."
    score = staticmethod(sklearn.mean_squared_error)

    def error(self, off: float) -> float:
        return off * off


class Rmse(Mse):
    definition = "Root of the mean squared error."
    score = staticmethod(sklearn.root_mean_squared_error)


class R2(Mse):
    definition = (
        "Share of the references' variance that the answers explain; if they have none, 1 if all answers are right."
    )
    range = "at most 1, which is best; 0 equals always answering the mean"

    @staticmethod
    def score(wanted: Sequence[float], said: Sequence[float]) -> float:
        # scikit-learn has no value for one reference, and a bootstrap sample may repeat a single item.
        return sklearn.r2_score(wanted, said) if len(wanted) > 1 else float(wanted == said)


class SharpeRatio(Numbers):
    """An item's value is its return."""

    definition = (
        "Mean return divided by the standard deviation of returns (n - 1), not annualised. An answer is a position, "
        "the reference is the return of one unit; their product is the item's return. 0 if all returns are equal."
    )
    source = "Sharpe 1966"
    range = "any number, more is better"

    def items(self, answers: Sequence[str], references: Sequence[str]) -> list[float]:
        returns = [_number(text) for text in references]
        if None in returns:
            raise CannotBeScored(
                "bad_reference", f"not a number: the reference {references[returns.index(None)][:80]!r}"
            )
        # An answer that is not a number counts as a position of 0.
        return [(_number(answer) or 0.0) * (each or 0.0) for answer, each in zip(answers, returns, strict=True)]

    def figure(self, answers: Sequence[str], references: Sequence[str]) -> float:
        returns = self.items(answers, references)
        spread = statistics.stdev(returns) if len(returns) > 1 else 0.0
        return statistics.fmean(returns) / spread if spread else 0.0


class RocAuc(TextMetric):
    """An item's value is 1 minus the distance between answer and label, from 0 to 1."""

    definition = (
        "Area under the ROC curve: the probability that an item of class 1 gets a higher number than one of class 0. "
        "The references are 0 and 1. A bootstrap sample with a single class counts as 0.5."
    )
    source = "Fawcett 2006, by scikit-learn"
    range = "0 to 1, 1 is best, 0.5 is chance"
    averaged = False

    def readable(self, answer: str) -> bool:
        return _number(answer) is not None

    def items(self, answers: Sequence[str], references: Sequence[str]) -> list[float]:
        said, wanted = _numbers(answers, _labels(references))
        return [1 - min(1.0, abs(a - r)) for a, r in zip(said, wanted, strict=True)]

    def figure(self, answers: Sequence[str], references: Sequence[str]) -> float:
        said, wanted = _numbers(answers, _labels(references))
        return float(sklearn.roc_auc_score(wanted, said)) if len(set(wanted)) == 2 else 0.5


def _labels(references: Sequence[str]) -> Sequence[str]:
    if wrong := next((text for text in references if text.strip() not in ("0", "1")), None):
        raise CannotBeScored("bad_reference", f"the references of roc_auc must be 0 or 1, not {wrong[:80]!r}")
    return references


def _numbers(answers: Sequence[str], references: Sequence[str]) -> tuple[list[float], list[float]]:
    wanted = [_number(text) for text in references]
    known = [number for number in wanted if number is not None]
    if len(known) < len(wanted):
        raise CannotBeScored("bad_reference", f"not a number: the reference {references[wanted.index(None)][:80]!r}")
    low, high = min(known), max(known)
    said = [_number(text) for text in answers]
    return [_worst(low, high, r) if a is None else a for a, r in zip(said, known, strict=True)], known


def _worst(low: float, high: float, reference: float) -> float:
    if low == high:
        # With a single known number, none is farther away.
        return reference + max(1.0, abs(reference))
    return low if reference - low > high - reference else high


def _number(text: str) -> float | None:
    bare = text.strip().replace(",", "")
    try:
        number = float(bare.removesuffix("%")) / (100 if bare.endswith("%") else 1)
    except ValueError:
        return None
    # Squares of larger numbers overflow.
    return number if math.isfinite(number) and abs(number) < 1e100 else None
