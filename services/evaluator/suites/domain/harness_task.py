"""Task files of lm-evaluation-harness as tasks of a suite, as far as they are data.

Code and downloads from a hub are refused. Questions are asked as chat, where the harness completes text.
"""

import re
from collections.abc import Mapping
from typing import Any

from services.evaluator.scoring.domain.item import CannotBeScored

KINDS = {"multiple_choice": "multiple_choice", "generate_until": "generation"}
METRICS = {"acc": "accuracy"}
READ = {
    *("task", "task_alias", "tag", "group", "metadata", "dataset_path", "dataset_name", "dataset_kwargs"),
    *("test_split", "validation_split", "training_split", "fewshot_split", "fewshot_config", "num_fewshot"),
    *("output_type", "doc_to_text", "doc_to_choice", "doc_to_target", "metric_list", "generation_kwargs"),
    *("description", "should_decontaminate", "doc_to_decontamination_query"),
}
FIXED = {"target_delimiter": " ", "fewshot_delimiter": "\n\n", "repeats": 1}
"""Fields that must have these values."""
_COLUMN = re.compile(r"\s*(?:\{\{\s*)?(\w+)(?:\s*\}\})?\s*")
_STRIP = re.compile(r"\.strip\(\)")


def task_of(name: str, raw: Mapping[str, Any]) -> dict[str, Any]:
    """A suite's task from a harness file; raises `CannotBeScored` for unsupported content."""
    if unknown := sorted({str(name) for name in raw if name not in READ and FIXED.get(name) != raw[name]}):
        raise CannotBeScored("bad_task", f"unsupported fields of a harness task: {', '.join(unknown)}")
    kind = KINDS.get(raw.get("output_type", "generate_until"))
    if kind is None:
        raise CannotBeScored("bad_task", f"the output_type of a harness task must be one of {', '.join(KINDS)}")
    example_split = raw.get("fewshot_split") or raw.get("training_split") or raw.get("validation_split")
    shots = raw.get("num_fewshot") or 0
    task: dict[str, Any] = {
        "name": name,
        "kind": kind,
        "data": {"file": _file(raw, raw.get("test_split") or raw.get("validation_split"))},
        "prompt": _STRIP.sub("|trim", _text(raw, "doc_to_text")),
        "columns": _columns(raw, kind),
        "shots": shots,
        # The harness's descriptions end with the empty line that follows each system text here.
        "system": str(raw.get("description") or "").rstrip("\n"),
    }
    if shots:
        task["examples"] = {"file": _file(raw, example_split)}
    if metrics := [METRICS.get(each["metric"], each["metric"]) for each in raw.get("metric_list") or ()]:
        task["metrics"] = metrics
    if kind == "multiple_choice" and isinstance(raw.get("doc_to_choice"), list):
        task["answer_by"] = "letter"
    if most := (raw.get("generation_kwargs") or {}).get("max_gen_toks"):
        task["max_tokens"] = most
    return task


def _file(raw: Mapping[str, Any], split: Any) -> str:
    files = (raw.get("dataset_kwargs") or {}).get("data_files")
    if raw.get("dataset_path") not in ("json", "csv") or not isinstance(files, Mapping) or split not in files:
        raise CannotBeScored(
            "bad_task",
            "a harness task must name local files beside the suite: dataset_path json or csv, and "
            f"dataset_kwargs.data_files with {split!r}",
        )
    return str(files[split])


def _columns(raw: Mapping[str, Any], kind: str) -> dict[str, Any]:
    columns: dict[str, Any] = {"answer": _column(raw, "doc_to_target")}
    named = re.findall(r"\{\{\s*(\w+)", _text(raw, "doc_to_text"))
    columns["question"] = named[0] if named else "question"
    choices = raw.get("doc_to_choice")
    if kind == "multiple_choice":
        # A list holds the letters of the choices; their texts are in the column `choices`.
        columns["choices"] = "choices" if isinstance(choices, list) else _column(raw, "doc_to_choice")
    return columns


def _column(raw: Mapping[str, Any], field: str) -> str:
    found = _COLUMN.fullmatch(_text(raw, field))
    if found is None:
        raise CannotBeScored("bad_task", f"{field} of a harness task must name one column, not {raw[field]!r:.100}")
    return found[1]


def _text(raw: Mapping[str, Any], field: str) -> str:
    value = raw.get(field)
    if not isinstance(value, str):
        raise CannotBeScored("bad_task", f"{field} of a harness task must be a text, not {value!r:.100}")
    return value
