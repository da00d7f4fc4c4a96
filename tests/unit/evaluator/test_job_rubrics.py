"""The rubric that review pins for a job decides how a judge rates that job's checkpoints."""

from pathlib import Path

from services.evaluator.evaluation.service.evaluations import Evaluations
from services.evaluator.scoring.domain.target import Target
from services.evaluator.suites.domain.suite import SuiteContent
from shared.artifacts import Artifacts
from shared.events import Artifact, Candidate, CheckpointSaved, PolicyPinned, Split, TrainingMetrics
from shared.store import MemoryStore
from tests.evaluator import AUTHOR, ScriptedScorer, evaluations_over

ROWS = [{"question": "q", "answer": "a"}]
# The scorer of these tests has no judge; the metrics beside the judge's are what it measures.
TASKS = (
    {"name": "rated", "data": {"rows": ROWS}, "metrics": ["exact_match", "judge"]},
    {"name": "paired", "data": {"rows": ROWS}, "metrics": ["exact_match", "judge_pair"]},
    {"name": "exact", "data": {"rows": ROWS}, "metrics": ["exact_match"]},
)
RUBRICS = [Artifact(uri=f"file:///{n}", sha256=f"{n}" * 64, bytes=1) for n in (1, 2)]


def pinned(job_id: str, rubric: Artifact) -> PolicyPinned:
    return PolicyPinned(job_id=job_id, policy="strict", revision=1, rubric=rubric)


def saved(evaluations: Evaluations, job_id: str) -> CheckpointSaved:
    line = b'{"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]}'
    candidate = Candidate(
        job_id=job_id,
        step=1,
        base_model="base",
        model_name="m",
        adapter=Artifact(uri="file:///a", sha256="a" * 64, bytes=1),
        lora_rank=4,
        suite="judged",
        owner=AUTHOR.id,
    )
    test = Split(artifact=evaluations.files.put_bytes(line), rows=1)
    return CheckpointSaved(candidate=candidate, total_steps=1, metrics=TrainingMetrics(step=1), test=test)


async def asked(folder: Path, *jobs: tuple[str, Artifact | None]) -> list[Target]:
    """The tasks that were asked for jobs with these rubrics."""
    evaluations = evaluations_over(MemoryStore("e"), Artifacts(str(folder)), lambda _v, _place, item: item.reference)
    await evaluations.suite_catalog.put("judged", SuiteContent(tasks=TASKS), AUTHOR)
    for job_id, rubric in jobs:
        if rubric is not None:
            await evaluations.suite_runner.rubrics.pinned(pinned(job_id, rubric))
        await evaluations.evaluate(saved(evaluations, job_id))
    scorer = evaluations.runner.scorings.scorer
    assert isinstance(scorer, ScriptedScorer)
    return [target for target in scorer.asked if target.kind == "task"]


async def test_the_judge_rates_checkpoint_and_base_model_by_the_rubric_of_the_job(tmp_path: Path) -> None:
    targets = await asked(tmp_path, ("job", RUBRICS[0]))
    assert [target.rubric for target in targets] == [RUBRICS[0], RUBRICS[0], None, None, None, None]
    assert {target.version is None for target in targets[:2]} == {True, False}


async def test_only_answers_that_were_rated_by_another_rubric_are_asked_again(tmp_path: Path) -> None:
    targets = await asked(tmp_path, ("one", RUBRICS[0]), ("two", RUBRICS[1]), ("three", RUBRICS[1]), ("four", None))
    assert [target.rubric for target in targets[6:]] == [RUBRICS[1], RUBRICS[1], None, None]
    assert len({target.key for target in targets}) == len(targets)


async def test_the_first_rubric_of_a_job_stays(tmp_path: Path) -> None:
    rubrics = evaluations_over(MemoryStore("e"), Artifacts(str(tmp_path)), lambda *_: "").suite_runner.rubrics
    await rubrics.pinned(pinned("job", RUBRICS[0]))
    await rubrics.pinned(pinned("job", RUBRICS[1]))
    assert await rubrics.of_job("job") == RUBRICS[0]
    assert await rubrics.of_job(None) is None
