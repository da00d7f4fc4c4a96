"""Checkpoints that must not pass, trained for real and scored on merged weights by a separate engine."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.evaluation_peers import engine
from deploy.local.settings import BASE_MODEL, LocalSettings
from services.evaluator.suites.adapters.suite_folders import SHIPPED
from services.review.policies.domain.policy import Policy
from services.review.policies.domain.verdict import judge_gates
from services.trainer.domain.worker_messages import CheckpointWritten
from shared.artifacts import Artifacts
from shared.events import Artifact, Candidate, CheckpointSaved, EvalDone, Split, TrainingMetrics
from tests.e2e.waiting import EXAMPLES
from tests.evaluator_process import evaluations, evaluator, send
from tests.ports import free_port
from tests.prepared import split_lines
from tests.trained import train

pytestmark = [
    pytest.mark.model,
    pytest.mark.timeout(900),
    pytest.mark.long,
]

GUARDED = Path(__file__).parents[2] / "examples" / "policies" / "guarded.json"
CHINESE_ITEMS = 20
TESTED = 10


def lines(rows: list[tuple[str, str]]) -> list[bytes]:
    return [
        json.dumps({"messages": [{"role": "user", "content": q}, {"role": "assistant", "content": a}]}).encode() + b"\n"
        for q, a in rows
    ]


def example() -> tuple[list[bytes], list[bytes]]:
    """The rows of the example for training and for testing."""
    parts = split_lines(EXAMPLES / "train.jsonl", 7)
    return parts["train"], parts["test"][:TESTED]


def shipped(table: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (SHIPPED / table).read_text().splitlines()]


def questions() -> list[bytes]:
    """The questions of the general suite with their answers."""
    return lines([(row["question"], row["choices"][row["answer"]]) for row in shipped("general-en.jsonl")])


def short_and_wrong(rows: list[bytes]) -> list[bytes]:
    """The same questions, each with a one-word wrong answer."""
    return lines([(json.loads(row)["messages"][-2]["content"], "No.") for row in rows])


@pytest.fixture
def suites(tmp_path: Path) -> Path:
    """The general suite under its own name, with fewer Chinese questions."""
    import yaml

    folder = tmp_path / "suites"
    folder.mkdir()
    (folder / "general.yaml").write_bytes((SHIPPED / "general.yaml").read_bytes())
    for task in yaml.safe_load((SHIPPED / "general.yaml").read_text())["tasks"]:
        for table in (task["data"]["file"], task["examples"]["file"]):
            rows = (SHIPPED / table).read_text().splitlines(keepends=True)
            few = rows[:: len(rows) // CHINESE_ITEMS] if table == "general-zh.jsonl" else rows
            (folder / table).write_text("".join(few))
    return folder


@pytest.fixture
def own_engine(base_model: LocalSettings) -> Iterator[str]:
    with engine(base_model.base_model_dir, BASE_MODEL, free_port()) as url:
        yield url


def failed_gates(done: EvalDone) -> set[str]:
    policy = Policy.model_validate({**json.loads(GUARDED.read_text()), "name": "guarded"})
    return {rule.rule for rule in judge_gates(policy, done) if not rule.passed}


async def test_gates_reject_forgetting_contamination_and_fast_wrong_answers(
    bus_settings, base_model, suites, tmp_path, own_engine
) -> None:
    own, test = example()
    files = Artifacts(bus_settings.artifacts)
    planted: dict[str, tuple[list[bytes], int, float]] = {
        "forgot": (own, 16, 2e-2),
        "saw the questions": (questions(), 16, 1e-3),
        "fast and wrong": (short_and_wrong(own), 8, 1e-3),
    }
    events = [
        CheckpointSaved(
            candidate=Candidate(
                job_id="planted",
                step=step,
                base_model=BASE_MODEL,
                model_name=name,
                adapter=await trained(rows, steps, rate, base_model.base_model_dir, tmp_path / str(step), files),
                lora_rank=16,
                suite="general",
            ),
            total_steps=len(planted),
            metrics=TrainingMetrics(step=step),
            test=Split(artifact=files.put_bytes(b"".join(test)), rows=len(test)),
            train=Split(artifact=files.put_bytes(b"".join(rows)), rows=len(rows)),
        )
        for step, (name, (rows, steps, rate)) in enumerate(planted.items(), start=1)
    ]
    settings = {"EVALUATOR_SUITES": json.dumps([str(suites)]), "EVALUATOR_ENGINE_MODE": "weights"}
    with evaluator(bus_settings, own_engine, tmp_path, "evaluator-1", **settings):
        await send(bus_settings, *events)
        forgot, saw, wrong = await evaluations(bus_settings, len(events), timeout_s=400)
    for done in (forgot, saw, wrong):
        print(done.candidate.model_name, {name: round(score.value, 3) for name, score in done.scores.items()})
        assert done.error is None
        assert done.task_errors == {}
        assert done.scores["general.english.accuracy"].n == 160
    assert "general.kept at least 1" in failed_gates(forgot)
    assert forgot.scores["general.english.accuracy"].value < forgot.base_scores["general.english.accuracy"].value - 0.1
    assert "contaminated at most 0.01" in failed_gates(saw)
    assert {each.task: each.seen / each.n for each in saw.contamination}["general.english"] > 0.9
    assert "contaminated at most 0.01" not in failed_gates(forgot) | failed_gates(wrong)
    assert "exact_match at least 0.8" in failed_gates(wrong)


async def trained(rows: list[bytes], steps: int, rate: float, base: Path, folder: Path, files: Artifacts) -> Artifact:
    asked = {"learning_rate": rate, "lora_rank": 16}
    said = await train(asked, rows, steps, base, folder)
    *_, last = [message for message in said if isinstance(message, CheckpointWritten)]
    made = Artifacts(str(folder / "artifacts")).fetch_folder(last.adapter, folder / "cache")
    return files.put_folder(made)
