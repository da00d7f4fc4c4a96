"""The shipped suite, limited to some items of each subject, as files for Assay and for lm-evaluation-harness.

Assay gets it as its own suite and as tasks of the harness. One more task measures the likelihood of whole texts.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from services.evaluator.suites.adapters.suite_folders import SHIPPED

NAME, BY_HARNESS, TEXTS = "bench", "bench-by-harness", "bench-texts"
"""The suite as Assay's own, the same questions as tasks of the harness, and the task of whole texts."""
SUBJECTS = "bench-subjects"
"""The group of the harness's tasks."""
_TEXTS, _ROWS_PER_TEXT = 12, 6
PROMPTS = {"english": "Question: {{question}}\nAnswer:", "chinese": "问题：{{question}}\n答案："}


@dataclass(frozen=True)
class Suite:
    """`right` is the right choice of each question; `tasks` are the harness's, one per subject as in MMLU.

    `rows` are the questions of each of these tasks, in their order.
    """

    folder: Path
    rows: dict[str, list[dict[str, Any]]]
    right: dict[str, str]

    @property
    def tasks(self) -> tuple[str, ...]:
        return tuple(self.rows)

    @property
    def harness(self) -> Path:
        """The folder of the harness's task files."""
        return self.folder / "harness"

    @property
    def items(self) -> int:
        return len(self.right)


def shipped(items: int, folder: Path) -> Suite:
    """The first items of each subject, in files below the folder."""
    folder.mkdir(parents=True)
    asked: dict[str, list[dict[str, Any]]] = {}
    right: dict[str, str] = {}
    suite = yaml.safe_load((SHIPPED / "general.yaml").read_text())
    for task in suite["tasks"]:
        rows = _rows(task["data"]["file"])
        shown = _rows(task["examples"]["file"])
        subjects = list(dict.fromkeys(row["subject"] for row in rows))
        kept = [row for subject in subjects for row in [r for r in rows if r["subject"] == subject][:items]]
        _write(folder / task["data"]["file"], kept)
        _write(folder / task["examples"]["file"], shown)
        right |= {row["question"]: row["choices"][row["answer"]] for row in kept}
        for number, subject in enumerate(subjects):
            name = f"assay_{task['name']}_{number}"
            parts = {"test": kept, "dev": shown}
            own = {part: [row for row in every if row["subject"] == subject] for part, every in parts.items()}
            _harness_task(folder / "harness", name, task, own)
            asked[name] = own["test"]
    _texts_task(folder / "harness", [row for rows in asked.values() for row in rows])
    (folder / "harness" / f"{SUBJECTS}.yaml").write_text(yaml.safe_dump({"group": SUBJECTS, "task": [*asked]}))
    for name, task in ((BY_HARNESS, SUBJECTS), (TEXTS, TEXTS)):
        tasks = [{"name": task, "kind": "lm_eval", "lm_eval": {"task": task}}]
        (folder / f"{name}.yaml").write_text(yaml.safe_dump({"tasks": tasks}))
    (folder / f"{NAME}.yaml").write_text(yaml.safe_dump(suite, allow_unicode=True))
    return Suite(folder, asked, right)


def _texts_task(place: Path, rows: list[dict[str, Any]]) -> None:
    """Questions and answers as running text, whose perplexity is measured."""
    sentences = [f"{row['question']} {row['choices'][row['answer']]}." for row in rows]
    starts = range(0, min(len(sentences), _TEXTS * _ROWS_PER_TEXT), _ROWS_PER_TEXT)
    _write(place / f"{TEXTS}.jsonl", [{"text": " ".join(sentences[at : at + _ROWS_PER_TEXT])} for at in starts])
    definition = {
        "task": TEXTS,
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str(place / f"{TEXTS}.jsonl")}},
        "test_split": "test",
        "output_type": "loglikelihood_rolling",
        "doc_to_text": "",
        "doc_to_target": "{{text}}",
        "metric_list": [{"metric": "word_perplexity"}],
    }
    (place / f"{TEXTS}.yaml").write_text(yaml.safe_dump(definition))


def _harness_task(place: Path, name: str, task: dict[str, Any], parts: dict[str, list[Any]]) -> None:
    place.mkdir(exist_ok=True)
    for part, rows in parts.items():
        _write(place / f"{name}-{part}.jsonl", rows)
    definition = {
        "task": name,
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {part: str(place / f"{name}-{part}.jsonl") for part in parts}},
        "test_split": "test",
        "fewshot_split": "dev",
        "fewshot_config": {"sampler": "first_n"},
        "num_fewshot": task["shots"],
        "output_type": "multiple_choice",
        "doc_to_text": PROMPTS[task["name"]],
        "doc_to_choice": "choices",
        "doc_to_target": "answer",
        "metric_list": [{"metric": "acc", "aggregation": "mean", "higher_is_better": True}],
    }
    (place / f"{name}.yaml").write_text(yaml.safe_dump(definition, allow_unicode=True))


def _rows(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (SHIPPED / name).read_text().splitlines()]


def _write(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
