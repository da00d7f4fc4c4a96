"""Detection metrics equal values computed by hand with COCO's formulas; pycocotools is not installed."""

import json
import random

import numpy as np
import pytest

from services.evaluator.scoring.adapters.metrics.detection import DetectionMap, Iou
from services.evaluator.scoring.domain.item import CannotBeScored
from tests.unit.evaluator.test_more_metrics import measured

A, B = [0, 0, 10, 10], [20, 0, 30, 10]
# Eight tenths of A; in binary the ratio is exactly 0.8.
MOST_OF_A = [0, 0, 8, 10]


def boxes(*found: list[float] | dict) -> str:
    return json.dumps(found)


def cat(box: list[float], score: float, label: str = "cat") -> dict:
    return {"box": box, "label": label, "score": score}


@pytest.mark.parametrize(
    ("answer", "reference", "value"),
    [
        (boxes(A), boxes(A), 1.0),
        (boxes(MOST_OF_A), boxes(A), 0.8),
        # 5 by 10 in both, of 100 + 100 - 50.
        (boxes([5, 0, 15, 10]), boxes(A), 50 / 150),
        (boxes(B), boxes(A), 0.0),
        (boxes(A), boxes(A, B), 0.5),
        (boxes(A, B), boxes(A), 0.5),
        (boxes(cat(A, 1, "dog")), boxes(cat(A, 1)), 0.0),
        (boxes(), boxes(), 1.0),
        (boxes(), boxes(A), 0.0),
        ("I see a cat", boxes(A), 0.0),
        # The best assignment, 80/90 + 20/180, and not the best pair first, 90/100 + 0.
        (boxes([0, 0, 9, 10], [8, 0, 18, 10]), boxes([0, 0, 8, 10], [0, 0, 10, 10]), (80 / 90 + 20 / 180) / 2),
    ],
)
def test_the_overlap_of_an_image_by_hand(answer: str, reference: str, value: float) -> None:
    assert Iou().item(answer, reference) == pytest.approx(value, abs=1e-9)


def test_average_precision_by_hand() -> None:
    metric = DetectionMap()
    assert metric.figure([boxes(A)], [boxes(A)]) == pytest.approx(1)
    # Right at the thresholds 0.50 to 0.80: seven of ten.
    assert metric.figure([boxes(MOST_OF_A)], [boxes(A)]) == pytest.approx(0.7)
    # The more certain box is wrong: precision is 1/2 at every recall.
    assert metric.figure([boxes(cat(B, 0.9), cat(A, 0.5))], [boxes(cat(A, 1))]) == pytest.approx(0.5)
    # One of two boxes is found: precision is 1 at the 51 recalls from 0 to 0.5, and 0 at the other 50.
    assert metric.figure([boxes(A)], [boxes(A, B)]) == pytest.approx(51 / 101)
    # A second box on the same object is wrong, but comes after the right one.
    assert metric.figure([boxes(cat(A, 0.9), cat(A, 0.8))], [boxes(cat(A, 1))]) == pytest.approx(1)


def test_precision_is_ordered_by_certainty_over_all_images_and_averaged_over_classes() -> None:
    answers = [boxes(cat(A, 0.5), cat(B, 0.9, "dog")), boxes(cat(B, 0.9))]
    references = [boxes(cat(A, 1), cat(B, 1, "dog")), boxes(cat(A, 1))]
    # Dogs: 1. Cats: wrong at 0.9, then right at 0.5, one of two found: 1/2 at 51 recalls.
    assert DetectionMap().figure(answers, references) == pytest.approx((1 + 0.5 * 51 / 101) / 2)


def simple_average_precision(images: list[tuple[list[dict], list[dict]]], threshold: float) -> float:
    """One class by the definition: for each recall, the best precision at this or a higher recall."""
    ranked = sorted(
        ((box["score"], image, place) for image, (said, _) in enumerate(images) for place, box in enumerate(said)),
        reverse=True,
    )
    taken: set[tuple[int, int]] = set()
    points, right = [], 0
    for n, (_score, image, place) in enumerate(ranked, start=1):
        said, wanted = images[image]
        free = [at for at in range(len(wanted)) if (image, at) not in taken]
        overlaps = {at: Iou().item(boxes(said[place]["box"]), boxes(wanted[at]["box"])) for at in free}
        best = max(overlaps, key=lambda at: overlaps[at], default=None)
        if best is not None and overlaps[best] >= threshold - 1e-10:
            taken.add((image, best))
            right += 1
        points.append((right / sum(len(wanted) for _, wanted in images), right / n))
    recalls = [round(0.01 * step, 2) for step in range(101)]
    return float(
        np.mean([max((p for recall, p in points if recall >= wished - 1e-12), default=0.0) for wished in recalls])
    )


def test_average_precision_equals_its_definition_on_random_boxes() -> None:
    draw = random.Random(4)
    scores = iter(draw.sample(range(10_000), 200))
    images = []
    for _ in range(12):
        wanted = [
            cat([x, y, x + 20, y + 20], 1) for x, y in ((draw.uniform(0, 60), draw.uniform(0, 60)) for _ in "123")
        ]
        said = []
        for box in wanted:
            moved = [side + draw.uniform(-4, 4) for side in box["box"]]
            said.append(cat(moved, next(scores) / 10_000))
        said.append(cat([90, 90, 99, 99], next(scores) / 10_000))
        images.append((said, wanted))
    expected = np.mean([simple_average_precision(images, threshold) for threshold in np.linspace(0.5, 0.95, 10)])
    assert 0.05 < expected < 0.95
    found = DetectionMap().figure(
        [json.dumps(said) for said, _ in images], [json.dumps(wanted) for _, wanted in images]
    )
    assert found == pytest.approx(expected, abs=1e-9)


def test_answers_that_are_not_boxes_are_counted_and_bad_references_refused() -> None:
    answers = [boxes(A), "no", '[{"box": [5, 5, 1, 1]}]', "[[1, 2, 3]]"]
    found = measured("detection_map", answers, [boxes(A)] * 4)
    assert (found.items, found.unreadable) == ((1, 0, 0, 0), 3)
    assert found.interval is not None
    assert measured("iou", answers, [boxes(A)] * 4).score.value == 0.25
    with pytest.raises(CannotBeScored, match="must be a JSON list of boxes"):
        measured("iou", [boxes(A)], ["a cat on the left"])


def test_images_without_boxes() -> None:
    metric = DetectionMap()
    assert metric.figure([boxes(), boxes()], [boxes(), boxes()]) == 1
    assert metric.figure([boxes(A)], [boxes()]) == 0
