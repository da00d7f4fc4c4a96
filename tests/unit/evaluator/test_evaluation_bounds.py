"""A large evaluation: the event stays within its bounds, the stored evaluation is complete."""

import json
from pathlib import Path
from typing import Any

import pytest

from services.evaluator.evaluation.service.evaluations import Evaluations
from services.evaluator.suites.domain.suite import Suite
from shared.artifacts import Artifacts
from shared.bounds import bounded
from shared.events import Artifact, Candidate, CheckpointSaved, EvalDone, Split, TrainingMetrics
from shared.events.evaluation import MAX_TASK_ERRORS
from shared.store import MemoryStore
from tests.evaluator import AUTHOR, evaluations_over

METRICS = ("exact_match", "accuracy", "fuzzy", "rouge_1")


async def evaluated(store: MemoryStore, evaluations: Evaluations, tasks: tuple[dict[str, Any], ...]) -> EvalDone:
    """The published event about one checkpoint on a suite."""
    suite = Suite(name="large", number=1, owner=AUTHOR.id, tasks=tasks)
    await evaluations.suite_catalog.store.create(suite)
    row = {"messages": [{"role": "user", "content": "1+1?"}, {"role": "assistant", "content": "2"}]}
    test = Split(artifact=evaluations.files.put_bytes(json.dumps(row).encode()), rows=1)
    candidate = Candidate(
        job_id="j",
        step=1,
        base_model="b",
        model_name="m",
        adapter=Artifact(uri="file:///a", sha256="1" * 64, bytes=1),
        lora_rank=4,
        suite="large",
        owner=AUTHOR.id,
    )
    metrics = TrainingMetrics(step=1)
    await evaluations.evaluate(CheckpointSaved(candidate=candidate, total_steps=1, metrics=metrics, test=test))
    [event] = [
        EvalDone.model_validate(event.data)
        for _collection, _id, events in await store.unsent_events()
        for event in events
        if event.type == "eval.done"
    ]
    return event


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore("evaluator")


@pytest.fixture
def evaluations(store: MemoryStore, tmp_path: Path) -> Evaluations:
    return evaluations_over(store, Artifacts(str(tmp_path)), lambda _version, _place, item: item.reference)


async def test_an_evaluation_with_more_scores_than_an_event_may_hold_is_published_with_a_report(
    store: MemoryStore, evaluations: Evaluations
) -> None:
    rows = [{"question": "one?", "answer": "1"}, {"question": "two?", "answer": "2"}]
    tasks = tuple({"name": f"task-{n}", "data": {"rows": rows}, "metrics": METRICS} for n in range(60))
    event = await evaluated(store, evaluations, tasks)
    bounded(event)
    assert {"exact_match", "large.score", "large.kept"} <= set(event.scores)
    assert event.report is not None
    stored = await evaluations.get("j", 1)
    assert stored is not None
    assert len([name for name in stored.done.scores if name.startswith("large.task-")]) == 60 * len(METRICS)
    assert len(stored.done.comparisons) >= 60 * len(METRICS)
    assert stored.done.model_copy(update={"report": event.report}).scores.keys() >= event.scores.keys()


async def test_each_of_many_broken_tasks_is_named_in_the_report(store: MemoryStore, evaluations: Evaluations) -> None:
    broken = tuple({"name": f"task-{n}", "data": {"rows": []}} for n in range(MAX_TASK_ERRORS + 10))
    event = await evaluated(store, evaluations, broken)
    assert event.report is not None
    assert len(event.task_errors) == MAX_TASK_ERRORS
    stored = await evaluations.get("j", 1)
    assert stored is not None
    assert set(stored.done.task_errors) == {f"large.{task['name']}" for task in broken}


async def test_an_evaluation_that_fits_into_its_event_has_no_report(
    store: MemoryStore, evaluations: Evaluations
) -> None:
    good = {"name": "good", "data": {"rows": [{"question": "q", "answer": "a"}]}}
    tasks = ({"name": "broken", "data": {"rows": []}}, good)
    event = await evaluated(store, evaluations, tasks)
    assert (event.report, list(event.task_errors)) == (None, ["large.broken"])
