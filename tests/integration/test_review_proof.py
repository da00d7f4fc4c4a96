"""Choice apart from proof over real NATS and MongoDB: review and the evaluator, with answers from a function."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import httpx
import pytest
from litestar.testing import AsyncTestClient

from services.evaluator import handlers
from services.evaluator.evaluation.domain.requested_evaluation import RequestedEvaluation
from services.evaluator.evaluation.service.requested_evaluations import RequestedEvaluations
from services.evaluator.judging.domain.agreement import ReviewRatings
from services.evaluator.judging.domain.rubric import Rubric
from services.evaluator.judging.service.agreements import Agreements
from services.evaluator.scoring.domain.answer import Answer
from services.evaluator.scoring.domain.item import Item
from services.review.app import build
from services.review.config import Settings
from shared.artifacts import Artifacts
from shared.bus import Bus
from shared.events import (
    Artifact,
    Candidate,
    CheckpointSaved,
    EvaluationRequested,
    ModelApproved,
    ReviewOpened,
    ReviewScored,
    Split,
    TrainingMetrics,
)
from shared.outbox import Outbox
from shared.security import Keyring
from shared.settings import CommonSettings
from shared.store import Store
from tests.evaluator import ScriptedScorer, evaluations_over
from tests.review import eventually_status, headers_of, published, score_all, send
from tests.unit.review.evidence import finish

ROWS = 40
# Of 40 answers to each split so many are right: the first checkpoint is lucky on the validation split alone.
RIGHT = {1: {"validation": 40, "test": 20}, 2: {"validation": 38, "test": 38}, 3: {"validation": 39, "test": 36}}


def split(files: Artifacts, name: str) -> Split:
    rows = (
        {"messages": [{"role": "user", "content": f"{name} {n}"}, {"role": "assistant", "content": f"right {n}"}]}
        for n in range(ROWS)
    )
    return Split(artifact=files.put_bytes(b"".join(json.dumps(row).encode() + b"\n" for row in rows)), rows=ROWS)


def saved(files: Artifacts, step: int, policy: str | None = None) -> CheckpointSaved:
    adapter = Artifact(uri="file:///a", sha256=str(step).ljust(64, "0"), bytes=1)
    candidate = Candidate(
        job_id="job-1",
        step=step,
        base_model="base",
        model_name=f"s-{step}",
        adapter=adapter,
        lora_rank=4,
        policy=policy,
    )
    return CheckpointSaved(
        candidate=candidate,
        total_steps=3,
        metrics=TrainingMetrics(step=step),
        test=split(files, "test"),
        validation=split(files, "validation"),
    )


def says(version: str | None, place: int, item: Item) -> str:
    if version is None:
        return "?"
    step, asked = int(version[2]), item.prompt[0]["content"].split()[0]
    return item.reference if place < RIGHT[step][asked] else "?"


class NoJudge:
    """There is no judge."""

    async def rate(self, items: Sequence[Item], answers: Sequence[Answer], rubric: Rubric) -> list[float | None]:
        raise AssertionError("nobody asks")


@asynccontextmanager
async def evaluator(settings: CommonSettings) -> AsyncIterator[ScriptedScorer]:
    """The evaluator's use cases on the bus, until the block ends."""
    store = Store(settings.mongo_url, f"{settings.database_prefix}evaluator", "evaluator")
    bus, files = Bus(settings.nats_url, "evaluator", store), Artifacts(settings.artifacts)
    evaluations = evaluations_over(store, files, says)
    requested = RequestedEvaluations(
        store=store.collection("requested_evaluations", RequestedEvaluation),
        scorings=evaluations.runner.scorings,
        suite_catalog=evaluations.suite_catalog,
        files=files,
        rubrics=evaluations.suite_runner.rubrics,
        protocol=evaluations.protocol,
    )
    ratings = store.collection("agreements", ReviewRatings)
    scorer = evaluations.runner.scorings.scorer
    assert isinstance(scorer, ScriptedScorer)
    agreements = Agreements(
        store=ratings,
        evaluations=evaluations.store,
        files=files,
        rater=NoJudge(),
        rubrics=requested.rubrics,
        judge="",
    )
    handlers.subscribe(bus, evaluations, requested, agreements, requested.rubrics)
    await store.prepare()
    await bus.start()
    relay = asyncio.create_task(Outbox(store, bus).run())
    try:
        yield scorer
    finally:
        await bus.stop()
        relay.cancel()
        store.close()


@pytest.fixture
async def client(bus_settings: CommonSettings, keyring: Keyring) -> AsyncIterator[httpx.AsyncClient]:
    async with AsyncTestClient(build(Settings(common=bus_settings))) as client:
        client.headers.update(headers_of(keyring, "admin", "admin"))
        yield client


async def test_the_lucky_checkpoint_is_chosen_on_validation_and_refused_by_the_test_split(client, bus_settings) -> None:
    files = Artifacts(bus_settings.artifacts)
    async with evaluator(bus_settings) as scorer:
        await send(bus_settings, *(saved(files, step) for step in RIGHT), finish(*RIGHT))
        found = await eventually_status(client, "/v1/verdicts/job-1", {}, "rejected")
    assert found["run"]["chosen_step"] == 1
    assert (found["choice"]["split"], found["choice"]["scores"]["exact_match"]["value"]) == ("validation", 1)
    assert (found["evaluation"]["split"], found["evaluation"]["scores"]["exact_match"]["value"]) == ("test", 0.5)
    assert "exact_match at least 0.8: 0.500" in found["verdict"]["reason"]
    tests = [target for target in scorer.asked if target.test == split(files, "test").artifact]
    assert len(tests) == 2, "the test split is asked of the chosen checkpoint and of the base model alone"
    assert [each.evaluation_id for each in await published(bus_settings, "evaluation.requested")] == ["proof-job-1-1"]


async def test_a_chosen_checkpoint_is_proved_and_people_score_its_answers_to_the_test_split(
    client, bus_settings, keyring
) -> None:
    files = Artifacts(bus_settings.artifacts)
    content = {"mode": "hybrid", "gates": [{"metric": "exact_match", "at_least": 0.8}], "reviewers_wanted": 1}
    assert (await client.put("/v1/policies/people", json=content)).status_code == 200
    async with evaluator(bus_settings):
        facts = [saved(files, step, "people") for step in (2, 3)]
        await send(bus_settings, *facts, finish(2, 3))
        await eventually_status(client, "/v1/verdicts/job-1", {}, "in_review")
        async with asyncio.timeout(20):
            while not (reviews := (await client.get("/v1/reviews")).json()):
                await asyncio.sleep(0.05)
        path = f"/v1/reviews/{reviews[0]['id']}"
        items = (await client.get(f"{path}/items")).json()
        assert {item["prompt"][0]["content"].split()[0] for item in items} == {"test"}
        await score_all(client, path, headers_of(keyring, "reviewer", "review"))
        found = await eventually_status(client, "/v1/verdicts/job-1", {}, "approved")
        async with asyncio.timeout(20):
            while not isinstance((before := await published(bus_settings))[-1], ModelApproved):
                await asyncio.sleep(0.05)
        await send(bus_settings, *facts, *(each for each in before if isinstance(each, EvaluationRequested)))
        await asyncio.sleep(0.5)
    assert found["run"]["chosen_step"] == 3
    assert await published(bus_settings) == before, "everything sent again changes nothing"
    scored = next(each for each in before if isinstance(each, ReviewScored))
    assert scored.samples is not None
    assert scored.samples.sha256 == found["evaluation"]["samples"]["sha256"]
    kinds = [type(each) for each in before]
    assert kinds == [EvaluationRequested, ReviewOpened, ReviewScored, ModelApproved]
