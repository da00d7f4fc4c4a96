"""Evaluations on request: models, templates, suites, samples, progress and failures."""

import json
from pathlib import Path
from typing import Any

import pytest

from services.evaluator.comparison.service import RequestedComparisons
from services.evaluator.evaluation.domain.requested_evaluation import RequestedEvaluation
from services.evaluator.evaluation.service.evaluation_requests import EvaluationRequests, RequestRefused
from services.evaluator.evaluation.service.evaluations import Evaluations
from services.evaluator.evaluation.service.requested_evaluations import RequestedEvaluations
from services.evaluator.scoring.domain.item import CannotBeScored, Item
from services.evaluator.suites.domain.suite import SuiteContent
from shared.artifacts import Artifacts
from shared.events import (
    Artifact,
    Candidate,
    EvaluatedModel,
    EvaluationAnswered,
    EvaluationRequested,
    PromptTemplate,
    Split,
)
from shared.store import MemoryStore
from tests.evaluator import AUTHOR, ScriptedScorer, evaluations_over

QUESTIONS = [{"question": f"What is number {n}?", "answer": f"n{n}"} for n in range(20)]
TUNED = Candidate(
    job_id="j",
    step=1,
    base_model="base",
    model_name="tuned",
    adapter=Artifact(uri="file:///a", sha256="1" * 64, bytes=1),
    lora_rank=4,
)
MODELS = (
    EvaluatedModel(name="tuned", base_model="base", candidate=TUNED),
    EvaluatedModel(name="base", base_model="base"),
)


def says(version: str | None, place: int, item: Item) -> str:
    """The tuned model is right, the base model is right in the first quarter."""
    if item.reference == "fail":
        raise CannotBeScored("items_refused", "the engine refused every question")
    return item.reference if version or place < 5 else "?"


class Service:
    def __init__(self, folder: Path) -> None:
        self.store, self.files = MemoryStore("evaluator"), Artifacts(str(folder))
        evaluations = evaluations_over(self.store, self.files, says)
        self.catalog, self.scorer = evaluations.suite_catalog, evaluations.runner.scorings.scorer
        self.requests = RequestedEvaluations(
            store=self.store.collection("requested_evaluations", RequestedEvaluation),
            scorings=evaluations.runner.scorings,
            suite_catalog=self.catalog,
            files=self.files,
            rubrics=evaluations.suite_runner.rubrics,
            protocol="p",
        )

    def stored(self, rows: list[dict[str, Any]]) -> Artifact:
        return self.files.put_bytes(b"".join(json.dumps(row).encode() + b"\n" for row in rows))

    async def answered(self, **request: Any) -> EvaluationAnswered:
        event = EvaluationRequested.model_validate(
            {"evaluation_id": "e", "models": MODELS, "owner": AUTHOR.id, "job_id": "j", **request}
        )
        await self.requests.requested(event)
        found = await self.requests.get(event.evaluation_id)
        assert found is not None
        assert found.answered is not None
        return found.answered

    def lines(self, artifact: Artifact | None) -> list[dict[str, Any]]:
        assert artifact is not None
        return [json.loads(line) for line in self.files.read(artifact).splitlines()]


@pytest.fixture
def service(tmp_path: Path) -> Service:
    return Service(tmp_path)


async def test_two_models_are_scored_and_compared_on_questions(service: Service) -> None:
    answered = await service.answered(questions=service.stored(QUESTIONS))
    assert [(each.name, each.scores["exact_match"].value) for each in answered.results] == [
        ("tuned", 1),
        ("base", 0.25),
    ]
    [exact] = [each for each in answered.comparisons if each.metric == "exact_match"]
    assert (exact.against, exact.verdict, exact.gained, exact.lost) == ("base", "better", 15, 0)
    rows = service.lines(answered.samples)
    assert rows[7]["answers"] == {"tuned": "n7", "base": "?"}
    assert rows[7]["scores"]["base"]["exact_match"] == 0
    assert (answered.job_id, answered.error) == ("j", None)


async def test_progress_and_the_result_are_published_once(service: Service) -> None:
    assert isinstance(service.scorer, ScriptedScorer)
    questions = service.stored(QUESTIONS)
    await service.answered(questions=questions)
    await service.answered(questions=questions)
    sent = [event for _name, _id, events in await service.store.unsent_events() for event in events]
    assert [(each.type, each.data.get("done")) for each in sent] == [
        ("evaluation.progress", 0),
        ("evaluation.progress", 1),
        ("evaluation.progress", 2),
        ("evaluation.answered", None),
    ]
    assert len(service.scorer.asked) == 2


async def test_questions_are_asked_in_the_template_of_each_model_and_a_split_as_it_is(service: Service) -> None:
    template = PromptTemplate(name="short", version=1, system="Be short.", user="Q: {input}")
    tuned = TUNED.model_copy(update={"template": template})
    models = (
        EvaluatedModel(name="tuned", base_model="base", candidate=tuned),
        EvaluatedModel(name="base as served", base_model="base", template=template),
        EvaluatedModel(name="base", base_model="base"),
    )
    answered = await service.answered(models=models, questions=service.stored(QUESTIONS))
    assert service.lines(answered.samples)[0]["prompt"] == [
        {"role": "system", "content": "Be short."},
        {"role": "user", "content": "Q: What is number 0?"},
    ]
    assert isinstance(service.scorer, ScriptedScorer)
    first, second, third = service.scorer.asked
    assert first.test == second.test != third.test
    rows = [
        {"messages": [{"role": "user", "content": row["question"]}, {"role": "assistant", "content": row["answer"]}]}
        for row in QUESTIONS
    ]
    split = Split(artifact=service.stored(rows), rows=len(rows))
    answered = await service.answered(evaluation_id="on-split", models=models, split=split)
    assert service.lines(answered.samples)[0]["prompt"] == [{"role": "user", "content": "What is number 0?"}]


async def test_a_suite_is_asked_task_by_task(service: Service) -> None:
    tasks = tuple({"name": name, "data": {"rows": QUESTIONS}, "metrics": ["accuracy"]} for name in ("one", "two"))
    await service.catalog.put("shop", SuiteContent(tasks=tasks), AUTHOR)
    answered = await service.answered(suite="shop")
    assert {name: score.value for name, score in answered.results[1].scores.items()} == {
        "shop.one.accuracy": 0.25,
        "shop.two.accuracy": 0.25,
    }
    assert {row["task"] for row in service.lines(answered.samples)} == {"shop.one", "shop.two"}


@pytest.mark.parametrize(
    ("rows", "suite", "code"),
    [
        (None, "nowhere", "unknown_suite"),
        ([{"question": "q", "answer": "fail"}], None, "items_refused"),
        ([{"nothing": 1}], None, "bad_test_split"),
    ],
)
async def test_a_permanent_failure_is_published(service: Service, rows, suite, code) -> None:
    answered = await service.answered(questions=service.stored(rows) if rows else None, suite=suite)
    assert answered.error is not None
    assert (answered.error.code, answered.results) == (code, ())


class Engines:
    async def base_models(self) -> list[str]:
        return ["base", "other"]


def requests_over(service: Service, evaluations: Evaluations) -> EvaluationRequests:
    return EvaluationRequests(store=service.requests.store, evaluations=evaluations, engines=Engines())


async def test_base_models_are_asked_before_any_training(service: Service):
    requests = requests_over(service, evaluations_over(service.store, service.files, says))
    made = await requests.request(["base", "other", "base"], "general", AUTHOR)
    assert made.requested is not None
    assert [model.candidate for model in made.requested.models] == [None, None]
    unsent = await service.store.unsent_events()
    assert [event.type for _name, _id, events in unsent for event in events] == ["evaluation.requested"]
    assert [each.id for each in await requests.newest(AUTHOR, 5)] == [made.id]
    await service.requests.requested(made.requested)
    found = await requests.get(made.id)
    assert found is not None
    assert found.answered is not None
    assert found.created_at == made.created_at
    compared = await RequestedComparisons(service.files).complete(found.answered, "other")
    assert compared.figures.models == ("other", "base")
    assert len(compared.items) == 260


@pytest.mark.parametrize(
    ("models", "suite", "why"),
    [
        (["base"], "general", "choose 2 to 4 models"),
        (["base", "unknown"], "general", "neither a base model that an engine serves"),
        (["base", "other"], "none", "there is no suite"),
    ],
)
async def test_a_request_that_cannot_be_answered_is_refused_at_once(
    service: Service, models: list[str], suite: str, why: str
):
    requests = requests_over(service, evaluations_over(service.store, service.files, says))
    with pytest.raises(RequestRefused, match=why):
        await requests.request(models, suite, AUTHOR)
