"""Agreement after reviews, with a real database and over HTTP."""

import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from services.evaluator.config import Settings
from services.evaluator.judging.api import agreement as agreements_api
from services.evaluator.judging.domain.agreement import ReviewRatings
from services.evaluator.judging.domain.rubric import Criterion, Rubric
from services.evaluator.judging.service.agreements import Agreements
from services.evaluator.scoring.domain.answer import Answer
from services.evaluator.scoring.domain.item import CannotBeScored, Item
from shared import web
from shared.artifacts import Artifacts
from shared.events import Artifact, Candidate, CheckpointSaved, PolicyPinned, ReviewScored, Split, TrainingMetrics
from shared.settings import CommonSettings
from shared.store import Store
from tests.evaluator import evaluations_over

ROWS = 12


@dataclass
class Rates:
    """A judge that prefers long answers and has no valid rating of one, or that fails."""

    error: CannotBeScored | None = None
    asked: list[str] = field(default_factory=list)
    rubric: Rubric | None = None

    async def rate(self, items: Sequence[Item], answers: Sequence[Answer], rubric: Rubric) -> Sequence[float | None]:
        self.rubric = rubric
        self.asked += [f"{item.question} {answer.text}" for item, answer in zip(items, answers, strict=True)]
        if self.error is not None:
            raise self.error
        return [None if answer.text == "xx" else len(answer.text) / ROWS for answer in answers]


@dataclass
class Service:
    agreements: Agreements
    rater: Rates
    http: httpx.AsyncClient

    async def told(self) -> dict:
        answer = await self.http.get("/v1/agreement")
        assert answer.status_code == 200, answer.text
        return answer.json()


def candidate(step: int, owner: str) -> Candidate:
    adapter = Artifact(uri="file:///a", sha256=f"{step << 240:064x}", bytes=1)
    return Candidate(
        job_id="j", step=step, base_model="base", model_name="m", adapter=adapter, lora_rank=4, owner=owner
    )


def reviewed(step: int, owner: str = "", **scores: float) -> ReviewScored:
    return ReviewScored(
        review_id=f"review-j-{step}",
        candidate=candidate(step, owner),
        mode="hybrid",
        score=50,
        reviewers=2,
        rules=(),
        item_scores={name.replace("_", "-"): score for name, score in scores.items()},
    )


@pytest.fixture
async def service(common: CommonSettings, keyring) -> AsyncIterator[Service]:
    """A service with two evaluated checkpoints; the answer to question n has n + 1 letters."""
    store = Store(common.mongo_url, f"{common.database_prefix}evaluator", "evaluator")
    evaluations = evaluations_over(store, Artifacts(common.artifacts), lambda _version, place, _item: "x" * (place + 1))
    rows = [
        {"messages": [{"role": "user", "content": f"q{n}"}, {"role": "assistant", "content": "a"}]} for n in range(ROWS)
    ]
    test = evaluations.files.put_bytes("".join(json.dumps(row) + "\n" for row in rows).encode())
    for step, owner in ((1, ""), (2, "another")):
        await evaluations.evaluate(
            CheckpointSaved(
                candidate=candidate(step, owner),
                total_steps=9,
                metrics=TrainingMetrics(step=step),
                test=Split(artifact=test, rows=ROWS),
            )
        )
    rater = Rates()
    kept = store.collection("agreements", ReviewRatings)
    rubrics = evaluations.suite_runner.rubrics
    agreements = Agreements(kept, evaluations.store, evaluations.files, rater, rubrics, "judge-1")
    app = web.build(
        "evaluator",
        Settings(common=common),
        [agreements_api.routes],
        checks={},
        dependencies={"agreements": agreements},
    )
    admin = {"authorization": f"Bearer {keyring.create('test', ('admin',))}"}
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app), base_url="http://evaluator", headers=admin
    ) as http:
        yield Service(agreements, rater, http)
    store.close()


async def test_the_judge_rates_each_reviewed_answer_once(service: Service) -> None:
    people = {"item_2": 0.0, "item_3": 30.0, "item_5": 20.0, "item_9": 80.0, "item_12": 100.0}
    assert (await service.told())["overall"] is None
    for _ in range(2):
        await service.agreements.reviewed(reviewed(1, **people))
    assert service.rater.asked == [f"q{n} {'x' * (n + 1)}" for n in (1, 2, 4, 8, 11)]
    told = await service.told()
    assert told["judge"] == "judge-1"
    [review] = told["reviews"]
    assert (review["review_id"], review["job_id"], review["step"], review["error"]) == ("review-j-1", "j", 1, None)
    # The judge gave no valid rating of item 2; of the other four, two neighbours change places.
    assert review["agreement"] == told["overall"]
    assert told["overall"]["n"] == 4
    assert told["overall"]["spearman"] == pytest.approx(0.8)
    by_judge, by_people = [25, 500 / 12, 75, 100], [30, 20, 80, 100]
    apart = [mine - other for mine, other in zip(by_judge, by_people, strict=True)]
    assert told["overall"]["mean_difference"] == pytest.approx(sum(apart) / 4)


async def test_the_judge_rates_by_the_rubric_of_the_jobs_policy(service: Service) -> None:
    await service.agreements.reviewed(reviewed(2, "another", item_5=30, item_6=40))
    assert service.rater.rubric == Rubric()
    strict = Rubric(lowest=0, highest=10, criteria=(Criterion(name="brevity", weight=100),))
    files: Any = service.agreements.files
    pinned = PolicyPinned(
        job_id="j", policy="strict", revision=3, rubric=files.put_bytes(strict.model_dump_json().encode())
    )
    await service.agreements.rubrics.pinned(pinned)
    await service.agreements.reviewed(reviewed(1, item_3=10, item_4=20))
    assert service.rater.rubric == strict


async def test_reviews_are_combined_and_a_failed_one_says_why(service: Service) -> None:
    await service.agreements.reviewed(reviewed(1, item_3=10, item_4=20))
    service.rater.error = CannotBeScored("judge_invalid", "nonsense")
    await service.agreements.reviewed(reviewed(2, "another", item_5=30, item_6=40))
    told = await service.told()
    assert told["overall"]["n"] == 2
    assert [(each["step"], each["agreement"] and each["agreement"]["n"]) for each in told["reviews"]] == [
        (1, 2),
        (2, None),
    ]
    assert told["reviews"][1]["error"]["code"] == "judge_invalid"


async def test_an_unavailable_judge_is_asked_again_on_redelivery(service: Service) -> None:
    service.rater.error = CannotBeScored("judge_unavailable", "refused")
    with pytest.raises(CannotBeScored):
        await service.agreements.reviewed(reviewed(1, item_3=10))
    service.rater.error = None
    await service.agreements.reviewed(reviewed(1, item_3=10))
    assert (await service.told())["overall"]["n"] == 1


async def test_agreement_covers_only_reviewed_checkpoints_of_the_key(service: Service, keyring) -> None:
    await service.agreements.reviewed(reviewed(1))
    await service.agreements.reviewed(reviewed(7, item_3=10))
    assert service.rater.asked == []
    await service.agreements.reviewed(reviewed(2, "another", item_3=10))
    stranger = {"authorization": f"Bearer {keyring.create('stranger', ('train',))}"}
    told = (await service.http.get("/v1/agreement", headers=stranger)).json()
    assert (told["overall"], told["reviews"]) == (None, [])
    assert len((await service.told())["reviews"]) == 1
