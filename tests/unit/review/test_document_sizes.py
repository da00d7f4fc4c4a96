"""Every document of review stays under 1 MiB, for a large review and for a run of many checkpoints and tasks.

MongoDB refuses documents over 16 MB. A document is read and written whole, so a small one is also faster.
"""

import json
from pathlib import Path

from services.review.ownership import Caller
from services.review.panels.calibration import KnownItem
from services.review.panels.domain.item import Item
from services.review.panels.domain.review import review_id
from services.review.panels.domain.scorecard import Score, Seat
from services.review.policies.domain.policy import Policy
from shared.events import EvalDone, Interval
from shared.events import Score as Figure
from shared.store.entity import Document
from tests.browser.review_data import Service
from tests.unit.review.evidence import candidate, comparison, evaluation, finish

MIB = 2**20
ITEMS, REVIEWERS, CHECKPOINTS, TASKS = 1000, 10, 100, 57
CRITERIA = ("accuracy", "politeness", "usefulness")
NAMES = [f"suite.task-{task}.score" for task in range(TASKS)]
FIGURES = {name: Figure(value=0.5, n=100) for name in NAMES}
INTERVALS = dict.fromkeys(NAMES, Interval(low=0.4, high=0.6, level=0.95, method="bootstrap"))
MANY_TASKS = {
    "scores": FIGURES,
    "base_scores": FIGURES,
    "production_scores": FIGURES,
    "intervals": INTERVALS,
    "base_intervals": INTERVALS,
    "comparisons": tuple(
        comparison(0.5, 0.4, against, 100, None).model_copy(update={"metric": name})
        for name in NAMES
        for against in ("base", "production")
    ),
}
LONG, COMMENT = "Where is my parcel? " * 1500, "评" * 4000
COLLECTIONS = ("runs", "reviews", "items", "scorecards", "members", "pairs", "evaluations", "answers", "baselines")


async def largest(service: Service) -> dict[str, int]:
    """The bytes of the largest document of each collection, with the events that it still has to send."""
    sizes: dict[str, int] = {}
    for name in COLLECTIONS:
        found: list[Document] = await service.store.documents(name).find([])
        sizes[name] = max((len(json.dumps(each, ensure_ascii=False).encode()) for each in found), default=0)
    return sizes


async def test_documents_stay_small_with_1000_long_items_and_ten_reviewers(tmp_path: Path) -> None:
    policy = {"name": "large", "mode": "human", "items_per_review": ITEMS, "reviewers_wanted": REVIEWERS}
    service = Service(tmp_path, {"large": Policy.model_validate(policy)})
    samples = service.artifacts.put_bytes(b"".join(_sample(number) for number in range(ITEMS)))
    done = evaluation(10, 0.9, policy="large", samples=samples)
    await service.runs.evaluated(done.model_copy(update={"production": "v-old"}))
    await service.runs.finished(finish(10))
    review = review_id(candidate(10))
    cards = await service.panels.assignments.cards(review)
    assert len(cards) == ITEMS
    for place, card in enumerate(cards):
        seats = tuple(_seat(place, reviewer) for reviewer in range(REVIEWERS))
        await service.records.scorecards.change(
            card.id, lambda known, seats=seats: (known.model_copy(update={"seats": seats, "complete": True}), ())
        )
    assert len(await service.baselines.pairs.all(review)) == ITEMS
    await service.panels.completion.advance(review)
    run = await service.runs.required("job-1")
    assert run.human is not None, run.status
    assert (run.human.items, run.human.reviewers) == (ITEMS, REVIEWERS)
    sizes = await largest(service)
    assert {name: size for name, size in sizes.items() if size > MIB} == {}
    assert sizes["reviews"] < 20_000, "a review does not grow with its items"
    assert sizes["runs"] < 100_000, "a run has one figure an item"


async def test_a_reviewers_practice_on_1000_items_stays_small(tmp_path: Path) -> None:
    policy = {"name": "large", "mode": "human", "items_per_review": 3, "calibration": "practice"}
    service = Service(tmp_path, {"large": Policy.model_validate(policy)})
    known = [
        KnownItem(Item(id=f"calibration-{n}", prompt="q", reference="r", answer="a"), dict.fromkeys(CRITERIA, 5))
        for n in range(ITEMS)
    ]

    async def practice(_name: str) -> list[KnownItem]:
        return known

    calibration = service.panels.assignments.calibration
    object.__setattr__(calibration, "known_items", practice)
    samples = service.artifacts.put_bytes(b"".join(_sample(number) for number in range(3)))
    await service.runs.evaluated(evaluation(10, 0.9, policy="large", samples=samples))
    await service.runs.finished(finish(10))
    review = await service.panels.assignments.review(review_id(candidate(10)))
    member = await calibration.member(review, Caller(id="ana"))
    score = Score(points=dict.fromkeys(CRITERIA, 5), comment=COMMENT)
    given = {item.item.id: score.model_copy(update={"comment": ""}) for item in known[:-1]}
    await service.records.members.change(
        member.id, lambda stored: (stored.model_copy(update={"calibration": given}), ())
    )
    assert await calibration.score(review, member, known[-1].item.id, score)
    stored = await service.records.members.get(member.id)
    assert stored is not None
    assert stored.calibrated
    assert {each.comment for each in stored.calibration.values()} == {""}
    assert (await largest(service))["members"] < MIB


async def test_documents_stay_small_with_100_checkpoints_of_57_tasks(tmp_path: Path) -> None:
    gates = [{"metric": "exact_match", "at_least": 0.5}]
    service = Service(
        tmp_path, {"quick": Policy.model_validate({"name": "quick", "mode": "automatic", "gates": gates})}
    )
    for step in range(CHECKPOINTS):
        await service.runs.evaluated(_of_many_tasks(evaluation(step, 0.9, policy="quick")))
    await service.runs.finished(finish(*range(CHECKPOINTS)))
    assert (await service.runs.required("job-1")).status == "approved"
    sizes = await largest(service)
    assert {name: size for name, size in sizes.items() if size > MIB} == {}
    assert sizes["evaluations"] * CHECKPOINTS > 4 * MIB, "all evaluations in one document would be large"
    assert sizes["runs"] < 100_000, "a run has no figures of its checkpoints"


def _sample(number: int) -> bytes:
    row = {
        "prompt": [{"role": "user", "content": f"{number} {LONG}"}],
        "reference": LONG,
        "answer": LONG,
        "production_answer": LONG[1:],
        "scores": {"exact_match": 0.0},
    }
    return json.dumps(row).encode() + b"\n"


def _seat(item: int, reviewer: int) -> Seat:
    points = dict.fromkeys(CRITERIA, 1 + (item + reviewer // 5) % 5)
    return Seat(reviewer=f"reviewer-{reviewer}", score=Score(points=points, comment=COMMENT, seconds=20, at=item))


def _of_many_tasks(done: EvalDone) -> EvalDone:
    return done.model_copy(update={**MANY_TASKS, "scores": {**done.scores, **MANY_TASKS["scores"]}})
