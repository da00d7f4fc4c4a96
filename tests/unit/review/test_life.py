"""The life of a review: superseded, overridden, reopened, adjudicated by those whom the policy names."""

import re
from pathlib import Path
from typing import Any

import pytest

from services.review.ownership import Caller, NotOwner
from services.review.panels.domain.review import WrongState, review_id
from services.review.panels.domain.scorecard import Score
from services.review.policies.domain.policy import Policy
from services.review.policies.domain.rubric import Rubric
from services.review.policies.domain.verdict import Ruling
from services.review.runs.domain.run import Run
from shared.events import EvaluationAnswered, Interval, PolicyPinned, RuleOutcome, TrainingRequested, TrainingSpec
from shared.events import Score as Figure
from tests.browser.review_data import Service
from tests.unit.review.evidence import candidate, evaluation, finish, sample_lines

ADMIN, ANA, BEN = Caller(id="admin", admin=True), Caller(id="ana"), Caller(id="ben")
CRITERIA = ("accuracy", "politeness", "usefulness")
BEST, WORST = dict.fromkeys(CRITERIA, 5), dict.fromkeys(CRITERIA, 1)
HUMAN: dict[str, Any] = {"mode": "human", "items_per_review": 2, "reviewers_wanted": 1}


class World:
    """Review's use cases over memory, with policies of this test."""

    def __init__(self, folder: Path, **policies: dict[str, Any]) -> None:
        known = {name: Policy.model_validate({"name": name, **content}) for name, content in policies.items()}
        self.service = Service(folder, known)
        self.runs, self.panels, self.clock = self.service.runs, self.service.panels, 1000.0
        object.__setattr__(self.runs, "now", self.tick)

    def tick(self) -> float:
        self.clock += 1
        return self.clock

    async def job(self, job_id: str, policy: str, figure: float = 0.9, alias: str = "shop") -> str:
        """A finished job of a name; returns the id of its review."""
        samples = self.service.artifacts.put_bytes(sample_lines(2))
        done = evaluation(10, figure, policy=policy, job_id=job_id, samples=samples)
        named = done.model_copy(update={"candidate": done.candidate.model_copy(update={"suffix": alias})})
        await self.runs.evaluated(named)
        await self.runs.finished(finish(10, job_id=job_id))
        return review_id(candidate(10, job_id))

    async def score(self, review: str, caller: Caller, points: dict[str, int], items: int = 2) -> None:
        for number in range(1, items + 1):
            await self.panels.assignments.score(review, f"item-{number}", caller, points, Score(points={}))
        await self.panels.completion.advance(review)

    async def status(self, job_id: str) -> str:
        return (await self.runs.required(job_id)).status

    async def sent(self) -> list[tuple[str, str]]:
        found = await self.service.store.unsent_events()
        return [(event.type, event.id) for _collection, _id, events in found for event in events]


async def test_a_newer_approved_version_supersedes_an_older_one_that_waits_for_people(tmp_path: Path) -> None:
    quick = {"mode": "automatic", "gates": [{"metric": "exact_match", "at_least": 0}]}
    world = World(tmp_path, people=HUMAN, quick=quick)
    old = await world.job("job-1", "people")
    other = await world.job("job-2", "people", alias="another")
    await world.job("job-3", "quick")
    assert [await world.status(f"job-{n}") for n in (1, 2, 3)] == ["superseded", "in_review", "approved"]
    assert (await world.panels.assignments.review(old)).status == "superseded"
    assert (await world.panels.assignments.review(other)).status == "open"
    with pytest.raises(WrongState):
        await world.score(old, ANA, BEST)
    assert "model.rejected" in {kind for kind, _id in await world.sent()}


async def test_an_older_version_that_is_approved_later_does_not_end_a_newer_one(tmp_path: Path) -> None:
    world = World(tmp_path, people=HUMAN)
    old, _new = await world.job("job-1", "people"), await world.job("job-2", "people")
    await world.score(old, ANA, BEST)
    assert [await world.status(f"job-{n}") for n in (1, 2)] == ["approved", "in_review"]


async def test_an_override_ends_the_open_review_and_a_second_one_is_published_too(tmp_path: Path) -> None:
    world = World(tmp_path, people=HUMAN)
    review = await world.job("job-1", "people")
    for approved in (True, False, True):
        await world.service.overriding.override("job-1", approved, "we looked at it", ADMIN)
    ended = await world.panels.assignments.review(review)
    assert (ended.status, ended.log[-1].reason) == ("cancelled", "the verdict was overridden: we looked at it")
    ids = [each for kind, each in await world.sent() if kind == "model.approved"]
    assert len(ids) == len(set(ids)) == 2
    with pytest.raises(WrongState, match="only an undecided run"):
        await world.panels.lifecycle.reopen(review, "once more", ADMIN)


async def test_answers_to_a_question_set_open_no_review_once_a_person_has_decided(tmp_path: Path) -> None:
    world = World(tmp_path, people=HUMAN)
    await world.job("job-1", "people")
    answered = EvaluationAnswered(evaluation_id="questions", job_id="job-1")
    await world.runs.evaluation_answered(answered)
    await world.service.overriding.override("job-1", True, "we looked at it", ADMIN)
    await world.runs.evaluation_answered(answered)
    assert world.service.answered == [answered]


async def test_a_reopened_review_publishes_its_second_evidence_under_another_id(tmp_path: Path) -> None:
    strict = {**HUMAN, "reviewers_wanted": 2, "agreement_at_least": 0.9}
    world = World(tmp_path, people=strict)
    review = await world.job("job-1", "people")
    await world.score(review, ANA, BEST)
    await world.panels.assignments.score(review, "item-1", BEN, WORST, Score(points={}))
    await world.panels.assignments.score(review, "item-2", BEN, BEST, Score(points={}))
    await world.panels.completion.advance(review)
    assert await world.status("job-1") == "undecided"
    await world.panels.lifecycle.reopen(review, "a third opinion", ADMIN)
    await world.score(review, Caller(id="cem"), BEST)
    sent = await world.sent()
    scored = [each for kind, each in sent if kind == "review.scored"]
    assert len(set(scored)) == 2
    assert [kind for kind, _id in sent].count("review.waiting") == 1


async def test_only_those_whom_the_policy_names_decide_disputed_items(tmp_path: Path) -> None:
    policy = {**HUMAN, "reviewers_wanted": 2, "adjudicate_from": 2, "adjudicators": ["lea"]}
    world = World(tmp_path, people=policy)
    review = await world.job("job-1", "people")
    await world.score(review, ANA, BEST)
    await world.score(review, BEN, WORST)
    assert "review.waiting" in [kind for kind, _id in await world.sent()]
    adjudication = world.panels.adjudication
    with pytest.raises(NotOwner, match="does not name you"):
        await adjudication.queue(review, ANA)
    with pytest.raises(NotOwner):
        await adjudication.decide(review, "item-1", ANA, BEST, "mine")
    key = Caller(id="person", owners=("lea",))
    assert len(await adjudication.queue(review, key)) == 2


async def test_the_rubric_of_a_jobs_policy_is_published_once_when_it_is_pinned(tmp_path: Path) -> None:
    rubric = {"lowest": 0, "highest": 3, "criteria": [{"name": "brevity", "weight": 100}]}
    world = World(tmp_path, people={**HUMAN, "rubric": rubric})
    spec = TrainingSpec(base_model="base", suffix="shop", policy="people")
    created = TrainingRequested(job_id="job-1", training_file="file", spec=spec, owner="ana")
    await world.runs.requested(created)
    await world.job("job-1", "people")
    found = await world.service.store.unsent_events()
    [event] = [each for _, _, events in found for each in events if each.type == "policy.pinned"]
    pinned = PolicyPinned.model_validate(event.data)
    assert (pinned.job_id, pinned.policy, pinned.revision) == ("job-1", "people", 0)
    assert Rubric.model_validate_json(world.service.artifacts.read(pinned.rubric)) == Rubric.model_validate(rubric)


def test_the_id_of_a_review_tells_neither_job_nor_step() -> None:
    ids = {review_id(candidate(step, "job-abc")) for step in range(1, 50)}
    assert len(ids) == 49
    assert all(re.fullmatch(r"review-[0-9a-f]{16}", each) for each in ids)


def test_documents_stay_small_with_100_checkpoints_of_57_tasks() -> None:
    """MongoDB takes 16 MB; events take 1 MB. Evaluations are stored apart, one document each."""
    names = [f"suite.task-{task}.metric-{metric}" for task in range(57) for metric in range(8)]
    figures = {name: Figure(value=0.5, n=100) for name in names}
    interval = Interval(low=0.4, high=0.6, level=0.95, method="bootstrap")
    done = evaluation(0, 0.9).model_copy(
        update={"scores": figures, "base_scores": figures, "intervals": dict.fromkeys(names, interval)}
    )
    assert 100 * len(done.model_dump_json()) > 4_000_000, "all evaluations in one document were large"
    run = Run(job_id="job-1", item_scores={f"item-{n}": 50.0 for n in range(1000)})
    for step in range(100):
        run = run.evaluated(candidate(step))
    rules = tuple(RuleOutcome(rule="r" * 100, figure=1, limit=1, passed=True, reason="w" * 500) for _ in range(64))
    ruling = Ruling(outcome="approved", mode="hybrid", policy="p", rules=rules, reason="w" * 1000)
    stored = run.chosen(done, "the best", "in_review").model_copy(update={"ruling": ruling})
    assert len(stored.model_dump_json()) < 150_000
