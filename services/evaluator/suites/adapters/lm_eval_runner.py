"""Runs a task or group of lm-evaluation-harness by its own evaluator, on an engine.

Trusted is the code of tasks that the harness ships and of those in the operator's folder. Datasets come from
`HF_HOME` or from files that a task names with `data_files`; the environment decides whether downloads are possible.
"""

import asyncio
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy
from lm_eval import evaluate
from lm_eval.tasks import TaskManager

from services.evaluator.scoring.adapters.engine_lm import EngineLM
from services.evaluator.scoring.domain import intervals
from services.evaluator.scoring.domain.answer import to_jsonl
from services.evaluator.scoring.domain.item import CannotBeScored
from services.evaluator.scoring.domain.target_scores import TargetScores
from services.evaluator.scoring.ports import EngineUnavailable, HarnessEngine
from services.evaluator.scoring.service.answer_collector import LoadedModel
from services.evaluator.suites.domain.task import LmEval
from shared.events import Artifact, Interval, Score

NO_FILTER = "none"
FEWSHOT_SEED = 1234
_DATA_HINT = (
    "put the dataset into the folder HF_HOME, or copy the task into the folder EVALUATOR_LM_EVAL_TASKS and name local "
    "files there with dataset_kwargs.data_files"
)
_DATASET_ERRORS = ("Dataset", "Offline", "Connection", "HTTP", "FileNotFound", "LocalEntryNotFound", "Hub", "Timeout")


@dataclass(frozen=True)
class LmEvalResult:
    """The harness's scores, and one line per question."""

    scores: dict[str, Score]
    intervals: dict[str, Interval]
    subjects: dict[str, dict[str, Score]]
    versions: dict[str, str]
    lines: bytes
    item_errors: int

    def target_scores(self, answers: Artifact, duration_s: float) -> TargetScores:
        return TargetScores(
            scores=self.scores,
            answers=answers,
            duration_s=duration_s,
            intervals=self.intervals,
            item_errors=self.item_errors,
            subjects=self.subjects,
            versions=self.versions,
        )


@dataclass(frozen=True)
class LmEvalRunner:
    """`tasks_folder` is the operator's."""

    engine: HarnessEngine
    model: LoadedModel
    tasks_folder: Path | None = None

    async def run(self, task: LmEval) -> LmEvalResult:
        """Raises `CannotBeScored` and `EngineUnavailable`."""
        loop = asyncio.get_running_loop()
        language_model = EngineLM(self.engine, self.model, loop)
        found = await asyncio.to_thread(self._evaluate, language_model, task)
        return _result(task.task, found, language_model.errors)

    def _evaluate(self, language_model: EngineLM, task: LmEval) -> Mapping[str, Any]:
        manager = self._manager(task.task)
        # The harness's own seeds. `simple_evaluate` does the same, and then runs programs to describe the machine.
        random.seed(0)
        numpy.random.seed(FEWSHOT_SEED)
        try:
            tasks: Any = manager.load([task.task])
            for each in tasks["tasks"].values():
                _set_fewshot(each, task.num_fewshot)
            found = evaluate(lm=language_model, task_dict=tasks, limit=task.limit, bootstrap_iters=0, log_samples=True)
        except (CannotBeScored, EngineUnavailable):
            raise
        except Exception as error:
            raise _translated(task.task, error) from error
        assert found is not None, "only other processes than the first get no results"
        return found

    def _manager(self, task: str) -> TaskManager:
        """The index of the operator's folder if it has the task, else also of the harness's own 10,000 files."""
        folder = str(self.tasks_folder) if self.tasks_folder else None
        manager = TaskManager(include_path=folder, include_defaults=False)
        if task not in manager.all_tasks:
            manager = TaskManager(include_path=folder)
        if task not in manager.all_tasks:
            known = f"lm-evaluation-harness {version('lm-eval')}"
            raise CannotBeScored("unknown_task", f"{known} has no task or group {task!r}")
        return manager


def _set_fewshot(task: Any, number: int | None) -> None:
    """The requested number of examples, unless the task sets 0; otherwise the task's own number."""
    default = task.get_config("num_fewshot")
    if number is not None and default != 0:
        task.set_config(key="num_fewshot", value=number)
    elif default is None:
        task.set_config(key="num_fewshot", value=0)
    task.set_fewshot_seed(seed=FEWSHOT_SEED)


@dataclass
class _Metric:
    """One metric of one task: the value of each item, by document."""

    items: list[float] = field(default_factory=list)
    higher_is_better: bool = True


def _result(name: str, found: Mapping[str, Any], errors: int) -> LmEvalResult:
    results, samples = found["results"], found["samples"]
    total = {**results, **found.get("groups", {})}.get(name)
    rows: list[dict[str, Any]] = []
    metrics: dict[str, _Metric] = {}
    subjects: dict[str, dict[str, Score]] = {}
    for task, own in samples.items():
        higher = found.get("higher_is_better", {}).get(task, {})
        rows += _rows(task if task != name else "", own, higher, metrics)
        if task != name:
            subjects[task] = _scores(results[task], len(_documents(own)))
    n = sum(len(_documents(own)) for own in samples.values())
    by_metric: dict[str, dict[str, Score]] = {}
    for task, scores in subjects.items():
        for metric, score in scores.items():
            by_metric.setdefault(metric, {})[task] = score
    scores = _scores(total, n) if total else {}
    # A group without an aggregate of its own: the mean over all questions.
    scores = scores or {metric: _mean(own.values()) for metric, own in by_metric.items()}
    return LmEvalResult(
        scores=scores,
        intervals=_intervals(scores, metrics),
        subjects=subjects,
        versions={"lm_eval": version("lm-eval"), **{task: str(each) for task, each in found["versions"].items()}},
        lines=to_jsonl(rows),
        item_errors=errors,
    )


def _rows(
    subject: str, samples: Sequence[Mapping[str, Any]], higher: Mapping[str, Any], metrics: dict[str, _Metric]
) -> list[dict[str, Any]]:
    """One row per document; the samples of several filters are joined."""
    rows: dict[int, dict[str, Any]] = {}
    for sample in sorted(samples, key=lambda each: each["doc_id"]):
        row = rows.setdefault(sample["doc_id"], _row(subject, sample))
        for metric in sample["metrics"]:
            value = sample[metric]
            if isinstance(value, bool | int | float):
                name = _name(metric, sample["filter"])
                better = higher.get(metric) is not False
                row["scores"][name] = float(value) if better else -float(value)
                own = metrics.setdefault(name, _Metric(higher_is_better=better))
                own.items.append(float(value))
    return list(rows.values())


def _row(subject: str, sample: Mapping[str, Any]) -> dict[str, Any]:
    arguments = sample["arguments"]
    first = arguments["gen_args_0"] if isinstance(arguments, Mapping) else arguments[0]
    prompt = first["arg_0"] if isinstance(first, Mapping) else first[0]
    row = {
        "prompt": [{"role": "user", "content": str(prompt)}],
        "reference": str(sample["target"]),
        "answer": _answer(sample["filtered_resps"]),
        "scores": {},
    }
    return {**row, "subject": subject} if subject else row


def _answer(responses: Any) -> str:
    """A written answer, or the index of the likeliest choice."""
    first = responses[0] if isinstance(responses, list | tuple) and responses else responses
    if isinstance(first, str):
        return first
    if isinstance(first, list | tuple) and len(responses) > 1:
        return str(max(range(len(responses)), key=lambda at: float(responses[at][0])))
    return str(first)


def _scores(results: Mapping[str, Any], n: int) -> dict[str, Score]:
    """The harness's own figures, without its standard errors."""
    found: dict[str, Score] = {}
    for key, value in results.items():
        metric, comma, used_filter = key.partition(",")
        if comma and not metric.endswith("_stderr") and isinstance(value, int | float):
            found[_name(metric, used_filter)] = Score(value=float(value), n=n)
    return found


def _intervals(scores: Mapping[str, Score], metrics: Mapping[str, _Metric]) -> dict[str, Interval]:
    """Those of the metrics that are means of their items."""
    found: dict[str, Interval] = {}
    for name, score in scores.items():
        items = metrics[name].items if name in metrics else []
        if items and abs(sum(items) / len(items) - score.value) < 1e-9:
            found[name] = intervals.mean_interval(items)
    return found


def _mean(scores: Any) -> Score:
    known = list(scores)
    n = sum(score.n for score in known)
    return Score(value=sum(score.value * score.n for score in known) / n if n else 0.0, n=n)


def _documents(samples: Sequence[Mapping[str, Any]]) -> set[int]:
    return {sample["doc_id"] for sample in samples}


def _name(metric: str, used_filter: str) -> str:
    return metric if used_filter == NO_FILTER else f"{metric}_{used_filter}"


def _translated(task: str, error: Exception) -> Exception:
    kind = type(error).__name__
    if any(word in kind for word in _DATASET_ERRORS) or isinstance(error, OSError):
        return CannotBeScored(
            "dataset_unavailable", f"the dataset of {task} cannot be loaded: {error!s:.300}; {_DATA_HINT}"
        )
    return CannotBeScored("lm_eval_failed", f"lm-evaluation-harness failed on {task}: {kind}: {error!s:.500}")
