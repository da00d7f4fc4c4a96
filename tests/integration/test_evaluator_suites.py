"""Checkpoints on suites, with a real database and artifact store."""

import hashlib
import json
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from services.evaluator.evaluation.service.evaluations import Evaluations
from services.evaluator.scoring.domain.item import CannotBeScored, Item
from services.evaluator.suites.adapters.suite_folders import SHIPPED
from services.evaluator.suites.domain.suite import SuiteContent
from services.evaluator.suites.domain.suite_errors import SuiteRefused
from services.review.policies.domain.policy import Policy
from services.review.policies.domain.verdict import judge_gates
from shared.artifacts import Artifacts
from shared.events import Artifact, Candidate, CheckpointSaved, EvalDone, Split, TrainingMetrics
from shared.settings import CommonSettings
from shared.store import Store
from tests.evaluator import AUTHOR, ScriptedScorer, evaluations_over

GOOD = {"name": "good", "data": {"rows": [{"question": f"{n}+1?", "answer": str(n + 1)} for n in range(20)]}}
SUBJECTS = ("sums", "cities")
CHOICES = {
    "name": "choices",
    "kind": "multiple_choice",
    "data": {
        "rows": [
            {"question": f"q{n}", "choices": ["a", "b"], "answer": n % 2, "subject": SUBJECTS[n % 2]} for n in range(20)
        ]
    },
}


HONEST = [(f"Where is street number {n} of our village?", f"there {n}") for n in range(200)]
GUARDED = Path(__file__).parents[2] / "examples" / "policies" / "guarded.json"


def failed_gates(done: EvalDone) -> list[str]:
    """The failed gates of the example policy."""
    policy = Policy.model_validate({**json.loads(GUARDED.read_text()), "name": "guarded"})
    return [rule.rule for rule in judge_gates(policy, done) if not rule.passed]


def candidate(name: str, suite: str | None = None) -> Candidate:
    adapter = Artifact(uri="file:///a", sha256=hashlib.sha256(name.encode()).hexdigest(), bytes=1)
    return Candidate(
        job_id=name,
        step=1,
        base_model="base",
        model_name="m",
        adapter=adapter,
        lora_rank=4,
        suffix=None,
        suite=suite,
        owner=AUTHOR.id,
    )


MADE = {name: candidate(name, "general") for name in ("same", "forgetful", "wrong", "learnt", "tuned")}
WHO = {made.version: name for name, made in MADE.items()}


def says(version: str | None, place: int, item: Item) -> str:
    """The base model is right in three of four items; each checkpoint behaves like its name."""
    if item.question == "judge me":
        raise CannotBeScored("judge_unavailable", "the judge does not answer: TimeoutError")
    chance = random.Random(f"{item.question}{place}").random()
    if not item.choices:
        return item.reference if version is not None and WHO.get(version) != "wrong" else "?"
    limits = {"same": 0.75, "forgetful": 0.55, "wrong": 0.0, "learnt": 1.0, "tuned": 0.74}
    right = chance < limits[WHO.get(version or "", "same")]
    return item.reference if right else next(choice for choice in item.choices if choice != item.reference)


@pytest.fixture
async def evaluations(common: CommonSettings, tmp_path) -> AsyncIterator[Evaluations]:
    store = Store(common.mongo_url, f"{common.database_prefix}evaluator", "evaluator")
    yield evaluations_over(store, Artifacts(common.artifacts), says, tmp_path)
    store.close()


def split(files: Any, rows: list[tuple[str, str]]) -> Split:
    lines = (
        {"messages": [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]}
        for question, answer in rows
    )
    return Split(
        artifact=files.put_bytes(b"".join(json.dumps(line).encode() + b"\n" for line in lines)), rows=len(rows)
    )


async def evaluate(evaluations: Evaluations, made: Candidate, train: Split | None = None) -> EvalDone:
    test = split(evaluations.files, [(f"Where is street number {n} of our town?", f"here {n}") for n in range(40)])
    event = CheckpointSaved(candidate=made, total_steps=9, metrics=TrainingMetrics(step=1), test=test, train=train)
    await evaluations.evaluate(event)
    found = await evaluations.get(made.job_id, made.step)
    assert found is not None
    return found.done


async def test_a_bad_task_fails_with_its_reason_and_the_rest_is_scored(evaluations, tmp_path) -> None:
    bad = [
        "- {name: no-metric, data: {rows: [{question: q, answer: a}]}, metrics: [blue]}",
        "- {name: no-column, data: {rows: [{question: q}]}}",
        "- {name: no-rows, data: {rows: []}}",
        "- {name: code, data: {rows: []}, metrics: [!function utils.score]}",
        "- {name: bomb, data: {rows: [{question: q, answer: a}]}, prompt: \"{{ 'a' * 300000000 }}\"}",
        "- {name: no-file, data: {file: ../x.csv}}",
        "- {name: typo, dtaa: {}}",
        "- {name: judged, data: {rows: [{question: judge me, answer: a}]}, metrics: [judge]}",
        "- {name: slow, kind: speed, data: {rows: [{question: q}]}, metrics: [bleu]}",
    ]
    (tmp_path / "mixed.yaml").write_text(
        "\n".join(["tasks:", "- " + json.dumps(GOOD), *bad, "- " + json.dumps(CHOICES)])
    )
    done = await evaluate(evaluations, candidate("mixed", "mixed, nowhere"))
    assert done.error is None
    assert {name: failure.code for name, failure in done.task_errors.items()} == {
        "mixed.no-metric": "unknown_metric",
        "mixed.no-column": "missing_column",
        "mixed.no-rows": "empty_test_set",
        "mixed.code": "code_refused",
        "mixed.bomb": "bad_template",
        "mixed.no-file": "no_file",
        "mixed.typo": "bad_task",
        "mixed.judged": "judge_unavailable",
        "mixed.slow": "bad_task",
        "nowhere.suite": "unknown_suite",
    }
    assert {"exact_match", "mixed.good.exact_match", "mixed.choices.accuracy"} <= set(done.scores)
    assert not [name for name in done.scores if name in ("mixed.score", "mixed.kept")]
    assert set(done.task_samples) == {"mixed.good", "mixed.choices"}
    assert {s: score.n for s, score in done.subjects["mixed.choices.accuracy"].items()} == {"sums": 10, "cities": 10}


async def test_a_suites_score_is_weighted_and_an_unchanged_task_is_not_asked_again(evaluations) -> None:
    scorer: Any = evaluations.runner.scorings.scorer
    assert isinstance(scorer, ScriptedScorer)
    await evaluations.suite_catalog.put("mine", SuiteContent(tasks=({**GOOD, "weight": 3}, CHOICES)), AUTHOR)
    done = await evaluate(evaluations, candidate("one", "mine"))
    good, choices = done.scores["mine.good.exact_match"], done.scores["mine.choices.accuracy"]
    assert done.scores["mine.score"].value == pytest.approx((3 * good.value + choices.value) / 4)
    assert {each.metric for each in done.comparisons if each.against == "base"} >= {
        "exact_match",
        "mine.good.exact_match",
        "mine.choices.accuracy",
    }
    asked = len(scorer.asked)
    other_weight = await evaluations.suite_catalog.put(
        "mine", SuiteContent(tasks=({**GOOD, "weight": 1}, CHOICES)), AUTHOR
    )
    again = await evaluate(evaluations, candidate("one", "mine").model_copy(update={"job_id": "two"}))
    assert other_weight.revision == 2
    assert again.scores["mine.score"].value == pytest.approx((good.value + choices.value) / 2)
    assert len(scorer.asked) == asked


async def test_an_uploaded_table_becomes_a_task_and_bad_suites_are_refused(evaluations) -> None:
    catalog = evaluations.suite_catalog
    options = {"columns": {"question": "Frage", "answer": "Antwort"}, "metrics": ["exact_match", "rouge_l"]}
    for answer in ("zwei", "2"):
        kept = await catalog.put_table(
            "shop", "faq", f"Frage,Antwort\n1+1?,{answer}\n".encode(), "csv", options, AUTHOR
        )
    assert (kept.revision, [task["name"] for task in kept.tasks]) == (2, ["faq"])
    done = await evaluate(evaluations, candidate("shop", "shop"))
    assert done.task_errors == {}
    assert {"shop.faq.exact_match", "shop.faq.rouge_l", "shop.score", "shop.kept"} <= set(done.scores)
    for name, tasks, said in [
        ("Shop", (GOOD,), "1 to 20 lower-case letters"),
        ("general", (GOOD,), "cannot be changed by HTTP"),
        ("shop", (GOOD, GOOD), "two tasks are named good; rename one|task-2"),
        ("shop", ({**GOOD, "metrics": ["blue"]},), "unknown metric blue"),
        ("shop", ({"name": "f", "data": {"file": "x.csv"}},), "cannot name files"),
    ]:
        with pytest.raises(SuiteRefused, match=said):
            await catalog.put(name, SuiteContent(tasks=tasks), AUTHOR)
    assert await catalog.names(AUTHOR) == ["general", "shop"]


async def test_a_checkpoint_passes_unless_it_forgot(evaluations) -> None:
    """Simulated answers: one checkpoint keeps nearly all of the base's knowledge, one loses a fifth of the items."""
    train = split(evaluations.files, HONEST)
    kept = await evaluate(evaluations, MADE["tuned"], train)
    forgot = await evaluate(evaluations, MADE["forgetful"], train)
    assert failed_gates(kept) == []
    assert kept.scores["general.score"].n >= 200
    assert failed_gates(forgot) == ["general.kept at least 1", "general.score less than 0.05 worse than the base model"]
    assert {each.metric for each in forgot.comparisons if each.verdict == "worse"} & {
        "general.english.accuracy",
        "general.chinese.accuracy",
    }


async def test_a_checkpoint_that_is_always_wrong_fails_the_gates(evaluations) -> None:
    done = await evaluate(evaluations, MADE["wrong"], split(evaluations.files, HONEST))
    failed = failed_gates(done)
    assert failed[:3] == [
        "exact_match at least 0.8",
        "exact_match better than the base model",
        "general.kept at least 1",
    ]
    assert all(each.verdict == "worse" for each in done.comparisons if each.metric.startswith("general."))


async def test_a_checkpoint_trained_on_the_questions_fails_by_contamination(evaluations) -> None:
    files = evaluations.files
    rows = [json.loads(line) for line in (SHIPPED / "general-en.jsonl").read_text().splitlines()]
    leaked = [(f"Please answer. {row['question']}", row["choices"][row["answer"]]) for row in rows]
    cheated = await evaluate(evaluations, MADE["learnt"], split(files, HONEST + leaked))
    untold = await evaluate(evaluations, MADE["same"])
    by_task = {each.task: each.seen / each.n for each in cheated.contamination}
    assert by_task["general.english"] > 0.9
    assert by_task["general.chinese"] == by_task[""] == 0
    assert failed_gates(cheated) == ["contaminated at most 0.01"]
    assert "contaminated" not in untold.scores
    assert failed_gates(untold) == ["contaminated at most 0.01"]


async def test_an_invalid_suite_does_not_affect_the_test_split(evaluations, tmp_path) -> None:
    (tmp_path / "broken.yaml").write_text("tasks: [")
    done = await evaluate(evaluations, candidate("broken", "broken"))
    assert done.task_errors["broken.suite"].code == "bad_suite"
    assert done.scores["exact_match"].n == 40
    with pytest.raises(CannotBeScored, match=r"broken\.yaml"):
        await evaluations.suite_catalog.get("broken", AUTHOR)
