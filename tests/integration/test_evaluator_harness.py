"""Our scores equal lm-evaluation-harness for the same task file, rows and model."""

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from lm_eval import simple_evaluate
from lm_eval.api.model import LM
from lm_eval.tasks import TaskManager

from services.evaluator.scoring.adapters.metrics import registry
from services.evaluator.scoring.domain.item import Item
from services.evaluator.scoring.domain.metrics import Measured, measure
from services.evaluator.scoring.service.answer_collector import AnswerCollector
from services.evaluator.suites.adapters.prompt_template import PromptTemplate
from services.evaluator.suites.adapters.suite_folders import SHIPPED, SuiteFolders
from services.evaluator.suites.adapters.tables import read_table
from services.evaluator.suites.domain.task import read_task
from services.evaluator.suites.domain.task_items import items_of
from tests.unit.evaluator.test_likelihood import Letters

WORDS = ("the", "cat", "sat", "on", "a", "mat", "and", "went", "home", "again")


@dataclass
class Model(LM):
    """The in-memory engine as a model of the harness; the question determines the written answer."""

    engine: Letters

    def __post_init__(self) -> None:
        super().__init__()

    def loglikelihood(self, requests: Any, *_more: Any, **_options: Any) -> list[tuple[float, bool]]:
        return [(self._sum(*request.args), False) for request in requests]

    def loglikelihood_rolling(self, requests: Any, *_more: Any, **_options: Any) -> list[float]:
        raise NotImplementedError

    def generate_until(self, requests: Any, *_more: Any, **_options: Any) -> list[str]:
        return [written(request.args[0]) for request in requests]

    def _sum(self, context: str, continuation: str) -> float:
        tokens = [ord(character) for character in context + continuation]
        return sum(self.engine.logprob(tokens[:at], tokens[at]) for at in range(len(context), len(tokens)))


def written(question: str) -> str:
    draw = random.Random(question)
    return " ".join(draw.choices(WORDS, k=draw.randint(5, 12)))


def files(folder: Path, rows: Sequence[dict[str, Any]], **task: Any) -> dict[str, Any]:
    """Writes a task file of the harness and a suite with it."""
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    definition = {
        "task": "mine",
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": "rows.jsonl"}},
        "test_split": "test",
        **task,
    }
    (folder / "task.yaml").write_text(json.dumps(definition))
    (folder / "mine.yaml").write_text(json.dumps({"tasks": [{"name": "mine", "harness": "task.yaml"}]}))
    places = {"test": str(folder / "rows.jsonl")}
    return {**definition, "dataset_kwargs": {"data_files": places, "cache_dir": str(folder / "cache")}}


def ours(folder: Path) -> tuple[tuple[str, ...], Sequence[Item]]:
    """Assay's metrics and items of the task file."""
    folders = SuiteFolders(folder)
    suite = folders.get("mine")
    assert suite is not None
    task = read_task(folders.harness("mine", suite.tasks[0]))
    rows = read_table((folder / "rows.jsonl").read_bytes(), "jsonl")
    return task.measured_by, items_of(task, rows, [], PromptTemplate(task.template))


def measured(names: Sequence[str], items: Sequence[Item], answers: Sequence[str]) -> dict[str, Measured]:
    return measure(answers, [item.reference for item in items], registry.load(names))


def theirs(definition: dict[str, Any], engine: Letters) -> dict[str, Any]:
    # By default the harness reads thousands of task files, which takes fifteen seconds.
    manager = TaskManager(include_defaults=False)
    found = simple_evaluate(
        model=Model(engine), tasks=[definition], task_manager=manager, bootstrap_iters=0, log_samples=True
    )
    assert found is not None
    return {**found["results"]["mine"], "samples": found["samples"]["mine"]}


@pytest.mark.parametrize("table", ["general-en.jsonl", "general-zh.jsonl"])
async def test_multiple_choice_decisions_equal_the_harness(tmp_path: Path, table: str) -> None:
    rows = [json.loads(line) for line in (SHIPPED / table).read_text().splitlines()][::3]
    definition = files(
        tmp_path, rows, output_type="multiple_choice", doc_to_text="Question: {{question}}\nAnswer:",
        doc_to_choice="choices", doc_to_target="answer", metric_list=[{"metric": "acc"}],
    )  # fmt: skip
    engine = Letters(seed=1)
    names, items = ours(tmp_path)
    answers = [answer.text for answer in await AnswerCollector(engine, 8, 5).answers("base", None, items, 1)]
    expected = theirs(definition, engine)
    chosen = [
        sample["doc"]["choices"][max(range(len(sample["resps"])), key=lambda at: float(sample["resps"][at][0][0]))]
        for sample in sorted(expected["samples"], key=lambda sample: sample["doc_id"])
    ]
    assert answers == chosen
    found = measured(names, items, answers)["accuracy"].score
    assert (found.value, found.n) == (pytest.approx(expected["acc,none"], abs=1e-9), len(rows))


def test_scores_of_written_answers_equal_the_harness(tmp_path: Path) -> None:
    rows = [
        {"question": f"q{n}", "answer": written(f"q{n}") if n % 3 else written(f"q{n}") + " now"} for n in range(40)
    ]
    definition = files(
        tmp_path, rows, output_type="generate_until", doc_to_text="{{question}}", doc_to_target="{{answer}}",
        metric_list=[{"metric": "bleu"}, {"metric": "exact_match"}],
    )  # fmt: skip
    names, items = ours(tmp_path)
    found = measured(names, items, [written(item.question) for item in items])
    expected = theirs(definition, Letters())
    assert 0.5 < found["bleu"].score.value < 1
    assert found["bleu"].score.value * 100 == pytest.approx(expected["bleu,none"], abs=1e-9)
    assert found["exact_match"].score.value == pytest.approx(expected["exact_match,none"], abs=1e-9)
