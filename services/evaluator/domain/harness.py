"""lm-evaluation-harness's task files, as tasks of a suite: the part of them that is data.

What they name by code, or fetch from a hub, is refused. Answers are asked for as chat, where the harness completes
text.
"""

import re
from collections.abc import Mapping
from typing import Any

from services.evaluator.domain.suite import CannotBeScored

KINDS = {"multiple_choice": "multiple_choice", "generate_until": "generation"}
METRICS = {"acc": "accuracy"}
READ = {
    *("task", "task_alias", "tag", "group", "metadata", "dataset_path", "dataset_name", "dataset_kwargs"),
    *("test_split", "validation_split", "training_split", "fewshot_split", "fewshot_config", "num_fewshot"),
    *("output_type", "doc_to_text", "doc_to_choice", "doc_to_target", "metric_list", "generation_kwargs"),
    *("description", "should_decontaminate", "doc_to_decontamination_query"),
}
FIXED = {"target_delimiter": " ", "fewshot_delimiter": "\n\n", "repeats": 1}
"""Fields that may only say what holds here anyway."""
_COLUMN = re.compile(r"\s*(?:\{\{\s*)?(\w+)(?:\s*\}\})?\s*")
_STRIP = re.compile(r"\.strip\(\)")


def task_of(name: str, raw: Mapping[str, Any]) -> dict[str, Any]:
    """A task as people write one, out of the harness's file; raises `CannotBeScored` for what it cannot be."""
    if unknown := sorted({str(name) for name in raw if name not in READ and FIXED.get(name) != raw[name]}):
        raise CannotBeScored("bad_task", f"a harness task's {', '.join(unknown)} is not understood here")
    kind = KINDS.get(raw.get("output_type", "generate_until"))
    if kind is None:
        raise CannotBeScored("bad_task", f"a harness task's output_type is one of {', '.join(KINDS)}")
    shown = raw.get("fewshot_split") or raw.get("training_split") or raw.get("validation_split")
    shots = raw.get("num_fewshot") or 0
    task: dict[str, Any] = {
        "name": name,
        "kind": kind,
        "data": {"file": _file(raw, raw.get("test_split") or raw.get("validation_split"))},
        "prompt": _STRIP.sub("|trim", _text(raw, "doc_to_text")),
        "columns": _columns(raw, kind),
        "shots": shots,
        # The harness's own texts end on the empty line that stands here after each system text.
        "system": str(raw.get("description") or "").rstrip("\n"),
    }
    if shots:
        task["examples"] = {"file": _file(raw, shown)}
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
            "a harness task here names its files, beside the suite's: dataset_path json or csv, and "
            f"dataset_kwargs.data_files with {split!r}; what lies on a hub must be brought first",
        )
    return str(files[split])


def _columns(raw: Mapping[str, Any], kind: str) -> dict[str, Any]:
    columns: dict[str, Any] = {"answer": _column(raw, "doc_to_target")}
    named = re.findall(r"\{\{\s*(\w+)", _text(raw, "doc_to_text"))
    columns["question"] = named[0] if named else "question"
    choices = raw.get("doc_to_choice")
    if kind == "multiple_choice":
        # The letters of choices that the prompt shows: the texts are in the column of that name.
        columns["choices"] = "choices" if isinstance(choices, list) else _column(raw, "doc_to_choice")
    return columns


def _column(raw: Mapping[str, Any], field: str) -> str:
    found = _COLUMN.fullmatch(_text(raw, field))
    if found is None:
        raise CannotBeScored("bad_task", f"a harness task's {field} names one column here, not {raw[field]!r:.100}")
    return found[1]


def _text(raw: Mapping[str, Any], field: str) -> str:
    value = raw.get(field)
    if not isinstance(value, str):
        raise CannotBeScored("bad_task", f"a harness task's {field} is a text here, not {value!r:.100}")
    return value
