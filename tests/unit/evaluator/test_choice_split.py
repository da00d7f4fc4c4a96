"""Checkpoints are compared on the validation split; the test split is asked of the chosen one alone."""

import json
from pathlib import Path

from services.evaluator.evaluation.domain.requested_evaluation import RequestedEvaluation
from services.evaluator.evaluation.service.evaluations import Evaluations
from services.evaluator.evaluation.service.requested_evaluations import RequestedEvaluations
from services.evaluator.scoring.domain.item import Item
from services.review.runs.domain.proof import proof_request
from shared.artifacts import Artifacts
from shared.events import Artifact, Candidate, CheckpointSaved, EvalDone, Split, TrainingMetrics
from shared.store import MemoryStore
from tests.evaluator import ScriptedScorer, evaluations_over


def rows(files: Artifacts, name: str, count: int) -> Split:
    lines = (
        {
            "messages": [
                {"role": "user", "content": f"{name} question number {n} about this?"},
                {"role": "assistant", "content": f"{n}"},
            ]
        }
        for n in range(count)
    )
    return Split(artifact=files.put_bytes(b"".join(json.dumps(line).encode() + b"\n" for line in lines)), rows=count)


def saved(files: Artifacts, step: int, *, validation: bool = True, train: Split | None = None) -> CheckpointSaved:
    candidate = Candidate(
        job_id="job",
        step=step,
        base_model="base",
        model_name=f"ckpt-{step}",
        adapter=Artifact(uri="file:///a", sha256=f"{step:064x}", bytes=1),
        lora_rank=4,
    )
    return CheckpointSaved(
        candidate=candidate,
        total_steps=3,
        metrics=TrainingMetrics(step=step),
        test=rows(files, "test", 8),
        train=train,
        validation=rows(files, "validation", 6) if validation else None,
    )


def right(version: str | None, _place: int, item: Item) -> str:
    return item.reference if version else "?"


async def evaluated(evaluations: Evaluations, event: CheckpointSaved) -> EvalDone:
    await evaluations.evaluate(event)
    found = await evaluations.get("job", event.candidate.step)
    assert found is not None
    return found.done


async def test_each_checkpoint_is_asked_the_validation_split_and_the_proof_asks_the_test_split(tmp_path: Path) -> None:
    store, files = MemoryStore("evaluator"), Artifacts(str(tmp_path))
    evaluations = evaluations_over(store, files, right)
    requests = RequestedEvaluations(
        store=store.collection("requested", RequestedEvaluation),
        scorings=evaluations.runner.scorings,
        suite_catalog=evaluations.suite_catalog,
        files=files,
        rubrics=evaluations.suite_runner.rubrics,
        protocol=evaluations.protocol,
    )
    done = [await evaluated(evaluations, saved(files, step)) for step in (1, 2, 3)]
    event = saved(files, 1)
    assert event.validation is not None
    assert [each.split for each in done] == ["validation"] * 3
    assert [each.scores["exact_match"].n for each in done] == [6] * 3
    assert all(each.suite == f"validation-split@{event.validation.artifact.sha256[:16]}" for each in done)
    assert all(each.test == event.test for each in done)
    scorer = evaluations.runner.scorings.scorer
    assert isinstance(scorer, ScriptedScorer)
    assert {target.test for target in scorer.asked} == {event.validation.artifact}
    await requests.requested(proof_request(done[1]))
    found = await requests.get("proof-job-2")
    assert found is not None
    assert found.answered is not None
    assert [(each.name, each.scores["exact_match"].n) for each in found.answered.results] == [
        ("checkpoint", 8),
        ("base", 8),
    ]
    # Four sets of answers were made before with three checkpoints on the test split; the proof adds two.
    assert len(scorer.asked) == 4 + 2


async def test_a_single_checkpoint_is_asked_the_test_split_at_once(tmp_path: Path) -> None:
    files = Artifacts(str(tmp_path))
    evaluations = evaluations_over(MemoryStore("evaluator"), files, right)
    done = await evaluated(evaluations, saved(files, 1, validation=False))
    assert (done.split, done.test, done.scores["exact_match"].n) == ("test", None, 8)


async def test_contamination_is_that_of_the_test_split_whichever_split_was_asked(tmp_path: Path) -> None:
    files = Artifacts(str(tmp_path))
    evaluations = evaluations_over(MemoryStore("evaluator"), files, right)
    done = await evaluated(evaluations, saved(files, 1, train=rows(files, "test", 8)))
    assert (done.contamination[0].n, done.contamination[0].seen) == (8, 8)
    clean = await evaluated(evaluations, saved(files, 2, train=rows(files, "validation", 6)))
    assert clean.contamination[0].seen == 0
