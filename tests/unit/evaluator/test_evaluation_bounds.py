"""A large evaluation: the event stays within its bounds, the stored evaluation is complete."""

import json
from pathlib import Path

from services.evaluator.suites.domain.suite import SuiteContent
from shared.artifacts import Artifacts
from shared.bounds import bounded
from shared.events import Artifact, Candidate, CheckpointSaved, EvalDone, Split, TrainingMetrics
from shared.store import MemoryStore
from tests.evaluator import AUTHOR, evaluations_over

METRICS = ("exact_match", "accuracy", "fuzzy", "rouge_1")


async def test_an_evaluation_with_more_scores_than_an_event_may_hold_is_published_with_a_report(tmp_path: Path) -> None:
    store, files = MemoryStore("evaluator"), Artifacts(str(tmp_path))
    evaluations = evaluations_over(store, files, lambda _version, _place, item: item.reference)
    rows = [{"question": "one?", "answer": "1"}, {"question": "two?", "answer": "2"}]
    tasks = tuple({"name": f"task-{n}", "data": {"rows": rows}, "metrics": METRICS} for n in range(60))
    await evaluations.suite_catalog.put("large", SuiteContent(tasks=tasks), AUTHOR)
    row = {"messages": [{"role": "user", "content": "1+1?"}, {"role": "assistant", "content": "2"}]}
    test = Split(artifact=files.put_bytes(json.dumps(row).encode()), rows=1)
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
    bounded(event)
    assert {"exact_match", "large.score", "large.kept"} <= set(event.scores)
    assert event.report is not None
    stored = await evaluations.get("j", 1)
    assert stored is not None
    assert len([name for name in stored.done.scores if name.startswith("large.task-")]) == 60 * len(METRICS)
    assert len(stored.done.comparisons) >= 60 * len(METRICS)
    assert stored.done.model_copy(update={"report": event.report}).scores.keys() >= event.scores.keys()
