"""Detection metrics. An answer and a reference are JSON lists of boxes on one image.

A box is `{"box": [left, top, right, bottom], "label": "cat", "score": 0.9}`, or the four numbers alone. Without a label
all boxes are of one class; without a score they are equally certain. An answer that is not such a list has no boxes.
"""

import functools
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from services.evaluator.scoring.adapters.metrics.text import TextMetric
from services.evaluator.scoring.domain.item import CannotBeScored

Floats: TypeAlias = NDArray[np.float64]
THRESHOLDS: Floats = np.linspace(0.5, 0.95, 10)
RECALLS: Floats = np.linspace(0, 1, 101)
MAX_BOXES = 100
"""The most certain boxes of an image that count, as in COCO."""

MAX_PLACE = 1e9
"""Areas of larger boxes lose digits."""


@dataclass(frozen=True)
class Box:
    """A rectangle of one class. Both sides are longer than 0."""

    corners: tuple[float, float, float, float]
    label: str
    score: float


@dataclass(frozen=True)
class Matched:
    """The boxes of one class on one image: their scores, whether each is right by threshold, and how many there are."""

    scores: Floats
    right: NDArray[np.bool_]
    wanted: int


class Iou(TextMetric):
    definition = (
        "Intersection over union of each box with its counterpart of the same class, in the best assignment; summed "
        "and divided by the larger number of boxes, so that missing and additional boxes count as 0; the mean."
    )
    source = "Jaccard 1901; Kuhn 1955, by scipy"

    def readable(self, answer: str) -> bool:
        return _boxes(answer) is not None

    def item(self, answer: str, reference: str) -> float:
        said, wanted = _boxes(answer) or (), _wanted(reference)
        if not said and not wanted:
            return 1.0
        if not said or not wanted:
            return 0.0
        same = np.array([[one.label == other.label for other in wanted] for one in said])
        overlaps = np.where(same, _overlaps(said, wanted), 0.0)
        rows, columns = linear_sum_assignment(overlaps, maximize=True)
        return float(overlaps[rows, columns].sum()) / max(len(said), len(wanted))


class DetectionMap(TextMetric):
    """An item's value is that of its image alone."""

    definition = (
        "Average precision at 101 recalls, the mean over classes and over the thresholds 0.50, 0.55, … 0.95 of "
        "intersection over union. A box is right if it overlaps a box of the same class that no more certain one took."
    )
    source = "Lin et al. 2014 (COCO); pycocotools, COCOeval"
    averaged = False

    def readable(self, answer: str) -> bool:
        return _boxes(answer) is not None

    def item(self, answer: str, reference: str) -> float:
        return self.figure([answer], [reference])

    def figure(self, answers: Sequence[str], references: Sequence[str]) -> float:
        classes: dict[str, list[Matched]] = {}
        for answer, reference in zip(answers, references, strict=True):
            for label, matched in _matched(answer, reference).items():
                classes.setdefault(label, []).append(matched)
        known = [each for each in classes.values() if any(one.wanted for one in each)]
        if not known:
            # No image has a box.
            return 0.0 if classes else 1.0
        return float(np.mean([_average_precision(each) for each in known]))


def _average_precision(images: Sequence[Matched]) -> float:
    """Of one class, as `COCOeval.accumulate` computes it."""
    order = np.argsort(-np.concatenate([each.scores for each in images]), kind="mergesort")
    right = np.concatenate([each.right for each in images], axis=1)[:, order]
    found = np.cumsum(right, axis=1)
    recalls = found / sum(each.wanted for each in images)
    precisions = found / np.arange(1, len(order) + 1)
    # The precision at a recall is the best one at this recall or a higher one.
    best = np.maximum.accumulate(precisions[:, ::-1], axis=1)[:, ::-1]
    values: list[float] = []
    for recall, precision in zip(recalls, best, strict=True):
        places = np.searchsorted(recall, RECALLS, side="left")
        values.append(float(np.append(precision, 0.0)[places].mean()))
    return sum(values) / len(values)


# A bootstrap asks for the same image hundreds of times.
@functools.lru_cache(maxsize=20_000)
def _matched(answer: str, reference: str) -> dict[str, Matched]:
    said = sorted(_boxes(answer) or (), key=lambda box: -box.score)[:MAX_BOXES]
    wanted = _wanted(reference)
    found: dict[str, Matched] = {}
    for label in sorted({box.label for box in (*said, *wanted)}):
        own, others = [box for box in said if box.label == label], [box for box in wanted if box.label == label]
        found[label] = Matched(np.array([box.score for box in own]), _right(own, others), len(others))
    return found


def _right(said: Sequence[Box], wanted: Sequence[Box]) -> NDArray[np.bool_]:
    """For each threshold, whether each box takes one that was not taken; the boxes are the most certain first."""
    right = np.zeros((len(THRESHOLDS), len(said)), dtype=bool)
    if not said or not wanted:
        return right
    overlaps = _overlaps(said, wanted)
    for row, threshold in enumerate(THRESHOLDS):
        free = np.ones(len(wanted), dtype=bool)
        for place, each in enumerate(overlaps):
            best = int(np.argmax(np.where(free, each, -1.0)))
            # Thresholds such as 0.6 have no exact binary form.
            if free[best] and each[best] >= threshold - 1e-10:
                free[best], right[row, place] = False, True
    return right


def _overlaps(some: Sequence[Box], others: Sequence[Box]) -> Floats:
    """Intersection over union of each of the first boxes with each of the second."""
    one = np.array([box.corners for box in some])[:, None, :]
    two = np.array([box.corners for box in others])[None, :, :]
    sides = np.minimum(one[..., 2:], two[..., 2:]) - np.maximum(one[..., :2], two[..., :2])
    shared = np.clip(sides, 0, None).prod(axis=-1)
    areas = (one[..., 2:] - one[..., :2]).prod(axis=-1) + (two[..., 2:] - two[..., :2]).prod(axis=-1)
    return shared / (areas - shared)


def _wanted(reference: str) -> tuple[Box, ...]:
    found = _boxes(reference)
    if found is None:
        message = f"the reference must be a JSON list of boxes [left, top, right, bottom], not {reference[:80]!r}"
        raise CannotBeScored("bad_reference", message)
    return found


@functools.lru_cache(maxsize=20_000)
def _boxes(text: str) -> tuple[Box, ...] | None:
    try:
        found = json.loads(text)
        return tuple(map(_box, found)) if isinstance(found, list) else None
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


def _box(given: Any) -> Box:
    """Raises `ValueError`, `TypeError` or `KeyError`."""
    fields: dict[str, Any] = given if isinstance(given, dict) else {"box": given}
    left, top, right, bottom = (float(side) for side in fields["box"])
    score = float(fields.get("score", 1.0))
    corners = (left, top, right, bottom)
    if not (left < right and top < bottom and math.isfinite(score) and max(map(abs, corners)) <= MAX_PLACE):
        raise ValueError("not a rectangle")
    return Box(corners, str(fields.get("label", "")), score)
