"""Pairs against another checkpoint by HTTP: chosen by the job's owner, blind for reviewers, named in what follows."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from litestar import Litestar
from litestar.datastructures import State
from litestar.testing import AsyncTestClient

from services.review.pages.baselines import BadCheckpoint, _job_and_step
from services.review.pairs import api as pairs_api
from services.review.panels.domain.review import review_id
from services.review.problems import problems
from shared.events import EvaluationAnswered, EvaluationRequested, Failure
from shared.security import Keyring, Scope
from shared.web import problem_details
from tests.browser.review_data import Service, provided
from tests.unit.review.evidence import candidate, evaluation

PAIRS = f"/v1/reviews/{review_id(candidate(10))}/pairs"
BASELINES = f"{PAIRS}/baselines"
OTHER_JOB = {"job_id": "job-0", "step": 5}
NEW, OTHER = candidate(10).model_name, candidate(5, "job-0").model_name


class World:
    """Review by HTTP, with an evaluator that answers what this test says."""

    def __init__(self, folder: Path, client: httpx.AsyncClient, service: Service) -> None:
        self.keyring, self.client, self.service = Keyring(folder / "keys.json"), client, service

    def key(self, name: str, *scopes: Scope) -> dict[str, str]:
        return {"authorization": f"Bearer {self.keyring.create(name, scopes)}"}

    async def requests(self) -> list[EvaluationRequested]:
        events = [event for _name, _id, found in await self.service.store.unsent_events() for event in found]
        asked = [event.data for event in events if event.type == "evaluation.requested"]
        return [EvaluationRequested.model_validate(data) for data in asked]

    async def answer(self, request: EvaluationRequested, *answers: str) -> None:
        rows = [{"prompt": [], "reference": "", "answers": {"baseline": text}, "scores": {}} for text in answers]
        samples = self.service.artifacts.put_bytes(b"".join(json.dumps(row).encode() + b"\n" for row in rows))
        event = EvaluationAnswered(evaluation_id=request.evaluation_id, samples=samples)
        assert await self.service.baselines.answered(event)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    service = Service(tmp_path)
    application = Litestar(
        [pairs_api.routes, pairs_api.manage_routes],
        state=State({"keyring": Keyring(tmp_path / "keys.json")}),
        dependencies={name: provided(value) for name, value in service.dependencies.items()},
        plugins=[problem_details.plugin(handled=())],
        exception_handlers=dict(problems),
        lifespan=[service.lifespan],
    )
    async with AsyncTestClient(application) as client:
        yield World(tmp_path, client, service)


async def compare(world: World, key: dict[str, str], better: str = "left") -> list[dict[str, Any]]:
    """Prefer one side of each pair; returns the pairs as they were shown."""
    shown: list[dict[str, Any]] = []
    while (pair := (await world.client.post(f"{PAIRS}/next", headers=key)).json()["pair"]) is not None:
        await world.client.post(f"{PAIRS}/{pair['id']}/preference", headers=key, json={"better": better})
        shown.append(pair)
    return shown


async def test_a_checkpoint_of_another_job_is_asked_once_and_its_answers_become_pairs(world: World) -> None:
    admin, ana = world.key("admin", "admin"), world.key("ana", "review")
    answer = await world.client.post(BASELINES, headers=admin, json=OTHER_JOB)
    assert answer.status_code == 202, answer.text
    assert answer.json()["status"] == "asked"
    await world.client.post(BASELINES, headers=admin, json=OTHER_JOB)
    [request] = await world.requests()
    assert request.split is not None, "the prompts of these items stand in their template already"
    assert request.models[0].candidate == candidate(5, "job-0", "quick")
    await world.answer(request, "other 1", "a1", "other 3")
    [found] = (await world.client.get(BASELINES, headers=admin)).json()
    assert (found["model"], found["status"], found["pairs"]) == (OTHER, "answered", 2), "one answer is equal"
    await world.answer(request, "other 1", "a1", "other 3")
    shown = await compare(world, ana)
    assert len(shown) == 3 + 2, "three against production, two against the other checkpoint"
    assert OTHER not in json.dumps(shown)
    assert NEW not in json.dumps(shown)


async def test_win_rate_and_export_name_the_models_after_the_last_pair(world: World) -> None:
    admin, ana = world.key("admin", "admin"), world.key("ana", "review")
    await world.client.post(BASELINES, headers=admin, json=OTHER_JOB)
    await world.answer((await world.requests())[0], "o0", "o1", "o2")
    for name in ("win-rate", "export"):
        refused = await world.client.get(f"{PAIRS}/{name}", headers=ana)
        assert refused.status_code == 409
        assert "compare all your pairs first" in refused.text
    await compare(world, ana)
    rates = (await world.client.get(f"{PAIRS}/win-rate", headers=ana)).json()
    assert [(each["candidate"], each["baseline"], each["pairs"]) for each in rates] == [
        (NEW, OTHER, 3),
        (NEW, "v-old", 3),
    ]
    assert all(each["interval"]["low"] <= each["rate"] <= each["interval"]["high"] for each in rates)
    text = (await world.client.get(f"{PAIRS}/export", headers=ana)).text
    rows = [json.loads(line) for line in text.splitlines()]
    names = {"o": OTHER, "O": "v-old"}
    assert len(rows) == 6
    for row in rows:
        for side in ("chosen", "rejected"):
            assert row[f"{side}_model"] == names.get(row[side][0]["content"][0], NEW)


async def test_a_baseline_that_cannot_answer_says_why_and_can_be_asked_again(world: World) -> None:
    admin = world.key("admin", "admin")
    await world.client.post(BASELINES, headers=admin, json=OTHER_JOB)
    [first] = await world.requests()
    failure = Failure(code="engine_away", message="the engine is away")
    assert await world.service.baselines.answered(EvaluationAnswered(evaluation_id=first.evaluation_id, error=failure))
    [found] = (await world.client.get(BASELINES, headers=admin)).json()
    assert (found["status"], found["reason"]) == ("failed", "the engine is away")
    await world.client.post(BASELINES, headers=admin, json=OTHER_JOB)
    _, second = await world.requests()
    assert second.evaluation_id != first.evaluation_id
    await world.answer(first, "late", "late", "late")
    [found] = (await world.client.get(BASELINES, headers=admin)).json()
    assert (found["status"], found["pairs"]) == ("asked", 0), "an answer to the first request does not count"
    await world.answer(second, "only one")
    [found] = (await world.client.get(BASELINES, headers=admin)).json()
    assert found["reason"] == "3 questions were asked and 1 were answered"


@pytest.mark.parametrize(
    ("scope", "body", "status", "words"),
    [
        ("review", OTHER_JOB, 403, "only the job's owner"),
        ("admin", {"job_id": "job-0", "step": 6}, 404, "no checkpoint of step 6"),
        ("admin", {"job_id": "job-1", "step": 10}, 409, "is the one under review"),
        ("admin", {"production": True}, 409, "no version was in production"),
        ("admin", {"job_id": "job-0"}, 400, "step"),
        ("admin", {**OTHER_JOB, "production": True}, 400, "production"),
    ],
)
async def test_a_choice_that_cannot_be_is_refused_with_the_reason(
    world: World, scope: Scope, body: dict[str, Any], status: int, words: str
) -> None:
    answer = await world.client.post(BASELINES, headers=world.key("caller", scope), json=body)
    assert (answer.status_code, words in answer.text) == (status, True), answer.text
    assert await world.requests() == []


async def test_production_is_asked_the_questions_of_a_question_set(world: World) -> None:
    runs, reviews = world.service.runs, world.service.records.reviews
    version = candidate(5, "job-0")
    records = runs.evaluations.records
    await records.change(
        "job-1/10",
        lambda known: (
            known.model_copy(update={"done": known.done.model_copy(update={"production_candidate": version})}),
            (),
        ),
    )
    policy = {"questions": "shop"}
    await reviews.change(
        review_id(candidate(10)),
        lambda known: (
            known.model_copy(update={"production": "", "policy": known.policy.model_copy(update=policy)}),
            (),
        ),
    )
    answer = await world.client.post(BASELINES, headers=world.key("a", "admin"), json={"production": True})
    assert answer.json()["model"] == version.model_name
    [request] = await world.requests()
    assert request.questions is not None, "the questions of a set are in no template yet"


async def test_the_owner_of_the_job_cannot_choose_a_checkpoint_of_another_person(world: World) -> None:
    done = evaluation(7, 0.5, job_id="job-7")
    foreign = done.model_copy(update={"candidate": done.candidate.model_copy(update={"owner": "ben"})})
    await world.service.runs.evaluated(foreign)
    key = world.key("ana", "train", "review")
    owner = world.keyring.authenticate(key["authorization"]).person
    await world.service.records.reviews.change(
        review_id(candidate(10)),
        lambda known: (
            known.model_copy(update={"candidate": known.candidate.model_copy(update={"owner": owner})}),
            (),
        ),
    )
    answer = await world.client.post(BASELINES, headers=key, json={"job_id": "job-7", "step": 7})
    assert answer.status_code == 404


@pytest.mark.parametrize("named", ["job-0/" + "9" * 30, "job-0/" + "9" * 5000, "job-0/²", "job-0/-1", "/5", "job-0"])
def test_a_checkpoint_whose_step_is_not_a_number_is_refused(named: str) -> None:
    with pytest.raises(BadCheckpoint):
        _job_and_step(named)
