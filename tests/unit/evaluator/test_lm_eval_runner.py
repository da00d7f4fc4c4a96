"""Tasks of lm-evaluation-harness on an engine give the same figures as the harness with the same engine replies."""

import asyncio
import json
import random
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from lm_eval import simple_evaluate
from lm_eval.api.instance import Instance
from lm_eval.api.model import LM
from lm_eval.tasks import TaskManager

from services.evaluator.scoring.adapters.engine_lm import EngineLM
from services.evaluator.scoring.domain.answer import Answer, TokenStep
from services.evaluator.scoring.domain.item import CannotBeScored
from services.evaluator.scoring.ports import EngineUnavailable
from services.evaluator.scoring.service.answer_collector import Adapter, AnswerCollector
from services.evaluator.suites.adapters.lm_eval_runner import LmEvalResult, LmEvalRunner
from services.evaluator.suites.adapters.questions import TaskChecker
from services.evaluator.suites.domain.task import LmEval, read_task
from tests.unit.evaluator.test_likelihood import Letters

WORDS = ("the", "cat", "sat", "on", "a", "mat", "#### 7", "#### 12", "and", "home")
PREFIX = 2
Taker = Callable[[dict[int, float], list[int]], int]
"""The next token, from the likely ones and the text before it."""


def written(context: str) -> str:
    draw = random.Random(context)
    return " ".join(draw.choices(WORDS, k=6)) + "\n\nQuestion: next?"


@dataclass
class HarnessLetters(Letters):
    """Tokens are characters; a seed determines probabilities, the context determines written answers."""

    reads_prompts: bool = True
    models: tuple[str, ...] = ()
    prompts_read: int = 0
    writes: str = ""
    away_for: int = 0

    async def context_length(self, base: str) -> int:
        return 4096

    async def prefix_token(self, base: str) -> int:
        return PREFIX

    async def encode(self, base: str, text: str, special: bool) -> list[int]:
        return [ord(character) for character in text]

    async def next_steps(
        self, model: str, prompt: Sequence[int], asked: Sequence[int], count: int
    ) -> list[TokenStep] | str:
        self.models = (*self.models, model)
        if self.away_for > 0:
            self.away_for -= 1
            raise EngineUnavailable("restarting")
        return self._steps(prompt, asked, count, lambda likely, _text: max(likely, key=likely.__getitem__))

    async def greedy_steps(
        self, model: str, prompt: Sequence[int], asked: Sequence[int], count: int
    ) -> list[TokenStep] | str:
        self.models = (*self.models, model)
        return self._steps(prompt, asked, count, lambda _likely, text: self.likeliest(text))

    def _steps(self, prompt: Sequence[int], asked: Sequence[int], count: int, take: Taker) -> list[TokenStep]:
        text, steps = list(prompt), list[TokenStep]()
        for _ in range(count):
            likely = {token: self.logprob(text, token) for token in asked}
            steps.append(TokenStep(take(likely, text), likely))
            text.append(steps[-1].taken)
        return steps

    async def prompt_logprobs(self, model: str, prompt: Sequence[int]) -> list[tuple[float, bool]] | str:
        self.models = (*self.models, model)
        self.prompts_read += 1
        steps = [(self.logprob(prompt[:at], prompt[at]), False) for at in range(1, len(prompt))]
        return [(0.0, True), *steps]

    async def complete(
        self, model: str, prompt: Sequence[int], max_tokens: int, stop: Sequence[str], temperature: float
    ) -> Answer:
        assert temperature == 0
        return Answer(written("".join(map(chr, prompt))))

    def likeliest(self, text: Sequence[int]) -> int:
        """The next character of what it `writes` after a question; -1 for any other token."""
        begun = [*text][len(text) - [*reversed(text)].index(ord("?")) :] if ord("?") in text else []
        own = [ord(character) for character in self.writes]
        return own[len(begun)] if begun == own[: len(begun)] and len(begun) < len(own) else -1


class Refusing(HarnessLetters):
    """Refuses every prompt."""

    async def greedy_steps(
        self, model: str, prompt: Sequence[int], asked: Sequence[int], count: int
    ) -> list[TokenStep] | str:
        return "400 too long"

    async def prompt_logprobs(self, model: str, prompt: Sequence[int]) -> list[tuple[float, bool]] | str:
        return "400 too long"


class Reference(LM):
    """The same replies without an engine, in the simplest way."""

    def __init__(self, letters: HarnessLetters) -> None:
        super().__init__()
        self._letters = letters

    def loglikelihood(self, requests: Any, disable_tqdm: bool = False) -> list[tuple[float, bool]]:
        return [(self._sum([ord(c) for c in request.args[0]], request.args[1]), False) for request in requests]

    def loglikelihood_rolling(self, requests: Any, disable_tqdm: bool = False) -> list[float]:
        return [self._sum([PREFIX], request.args[0]) for request in requests]

    def generate_until(self, requests: Any, disable_tqdm: bool = False) -> list[str]:
        return [written(request.args[0]).split("\n\n")[0] for request in requests]

    def _sum(self, context: list[int], continuation: str) -> float:
        tokens = [*context, *(ord(character) for character in continuation)]
        return sum(self._letters.logprob(tokens[:at], tokens[at]) for at in range(len(context), len(tokens)))


COMMON = {"dataset_path": "json", "test_split": "test", "metadata": {"version": 3}}
CHOICE_ROWS = [
    {"question": f"Is {n} even?", "choices": ["yes, it is", "no", "maybe"], "answer": n % 3} for n in range(12)
]
LETTER_ROWS = [{**row, "choices": ["one", "two", "three"]} for row in CHOICE_ROWS]
NUMBER_ROWS = [{"question": f"What is {n} + {n}?", "answer": f"#### {(7, 12)[n % 2]}"} for n in range(12)]
PAGE_ROWS = [{"page": f"Page {n} tells of the cat on the mat.\n\nThe end of page {n}."} for n in range(4)]
GENERATION = {"output_type": "generate_until", "doc_to_text": "Question: {{question}}\nAnswer:"}
GENERATION |= {"generation_kwargs": {"until": ["\n\n"], "do_sample": False, "max_gen_toks": 32}}
TAKE_FIRST = {"function": "take_first"}
PERPLEXITY = [{"metric": name} for name in ("word_perplexity", "byte_perplexity", "bits_per_byte")]
ROLLING = {"output_type": "loglikelihood_rolling", "doc_to_text": "", "metric_list": PERPLEXITY}
TASKS: dict[str, tuple[dict[str, Any], list[dict[str, Any]]]] = {
    "choice_texts": (
        {
            "output_type": "multiple_choice",
            "doc_to_text": "Question: {{question}}\nAnswer:",
            "doc_to_choice": "choices",
            "doc_to_target": "answer",
            "metric_list": [{"metric": "acc"}, {"metric": "acc_norm"}],
        },
        CHOICE_ROWS,
    ),
    "choice_letters": (
        {
            "output_type": "multiple_choice",
            "doc_to_text": "{{question}}\nA. {{choices[0]}}\nB. {{choices[1]}}\nC. {{choices[2]}}\nAnswer:",
            "doc_to_choice": ["A", "B", "C"],
            "doc_to_target": "answer",
            "metric_list": [{"metric": "acc"}],
            "num_fewshot": 2,
            "fewshot_split": "test",
        },
        LETTER_ROWS,
    ),
    "choices_after_examples": (
        {
            "output_type": "multiple_choice",
            "doc_to_text": "Question: {{question}}\nAnswer:",
            "doc_to_choice": "choices",
            "doc_to_target": "answer",
            "metric_list": [{"metric": "acc"}, {"metric": "acc_norm"}],
            "num_fewshot": 11,
            "fewshot_split": "test",
        },
        CHOICE_ROWS,
    ),
    "numbers": (
        {
            **GENERATION,
            "doc_to_target": "{{answer}}",
            "metric_list": [{"metric": "exact_match", "regexes_to_ignore": ["(?s).*(?=#### )"]}],
            "filter_list": [
                {"name": "strict", "filter": [{"function": "regex", "regex_pattern": "(#### [0-9]+)"}, TAKE_FIRST]},
                {"name": "plain", "filter": [TAKE_FIRST]},
            ],
        },
        NUMBER_ROWS,
    ),
    "sentences": (
        {**GENERATION, "doc_to_target": "the cat sat on a mat", "metric_list": [{"metric": "bleu"}]},
        NUMBER_ROWS,
    ),
    "pages": ({**ROLLING, "doc_to_target": "{{page}}"}, PAGE_ROWS),
    "short_pages": ({**ROLLING, "doc_to_target": "{{page[:20]}}"}, PAGE_ROWS),
    "last_words": (
        {
            "output_type": "loglikelihood",
            "doc_to_text": "{{question}}",
            "doc_to_target": " {{answer}}",
            "metric_list": [{"metric": "perplexity"}, {"metric": "acc"}],
        },
        NUMBER_ROWS,
    ),
    "last_letters": (
        {
            "output_type": "loglikelihood",
            "doc_to_text": "{{question}}",
            "doc_to_target": "!",
            "metric_list": [{"metric": "perplexity"}],
        },
        NUMBER_ROWS,
    ),
}  # fmt: skip


@pytest.fixture(autouse=True)
def _no_description_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """The harness runs several programs for it, which takes longer than the test."""
    monkeypatch.setattr("lm_eval.evaluator.add_env_info", lambda _results: None)
    monkeypatch.setattr("lm_eval.evaluator.get_git_commit_hash", lambda: "")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The operator's folder, with a group over the two multiple choice tasks."""
    for name, (definition, rows) in TASKS.items():
        table = tmp_path / f"{name}.jsonl"
        table.write_text("".join(json.dumps(row) + "\n" for row in rows))
        files = {"data_files": {"test": str(table)}, "cache_dir": str(tmp_path / "cache")}
        (tmp_path / f"{name}.yaml").write_text(
            json.dumps({**COMMON, **definition, "task": name, "dataset_kwargs": files})
        )
    group = {"group": "choices", "task": ["choice_texts", "choice_letters"]}
    group["aggregate_metric_list"] = [{"metric": "acc", "weight_by_size": True}]  # type: ignore[assignment]
    (tmp_path / "choices.yaml").write_text(json.dumps(group))
    return tmp_path


async def run(engine: Any, folder: Path | None, task: str, adapter: Adapter | None = None) -> LmEvalResult:
    async with AnswerCollector(engine, 8, 5).model("base", adapter) as model:
        return await LmEvalRunner(engine, model, folder).run(LmEval(task=task))


def reference(engine: HarnessLetters, folder: Path, task: str) -> dict[str, Any]:
    manager = TaskManager(include_path=str(folder), include_defaults=False)
    found = simple_evaluate(model=Reference(engine), tasks=[task], bootstrap_iters=0, task_manager=manager)
    assert found is not None
    figures = {**found["results"], **found.get("groups", {})}[task]
    names = {key: key.removesuffix(",none").replace(",", "_") for key in figures if "," in key and "_stderr" not in key}
    return {name: figures[key] for key, name in names.items()}


@pytest.mark.parametrize("reads_prompts", [True, False])
@pytest.mark.parametrize("task", [*TASKS, "choices"])
async def test_every_figure_equals_the_harness(folder: Path, task: str, reads_prompts: bool) -> None:
    engine = HarnessLetters(seed=3, reads_prompts=reads_prompts)
    if "page" in task and not reads_prompts:
        with pytest.raises(CannotBeScored, match="EVALUATOR_ENGINE_MODE=weights") as refused:
            await run(engine, folder, task)
        assert refused.value.code == "needs_merged_weights"
        return
    expected = reference(engine, folder, task)
    found = (await run(engine, folder, task)).scores
    assert {name: found[name].value for name in expected} == pytest.approx(expected, abs=1e-9)
    assert expected


@pytest.mark.parametrize(("task", "prompts"), [("choice_texts", 24), ("choices_after_examples", 0)])
async def test_short_choices_after_many_examples_are_asked_token_by_token(
    folder: Path, task: str, prompts: int
) -> None:
    """So that the engine finds the examples in its prefix cache; it reads a prompt anew to report on all of it."""
    engine = HarnessLetters(seed=3)
    await run(engine, folder, task)
    assert engine.prompts_read == prompts


@dataclass
class FirstIsSlow(HarnessLetters):
    """Answers the first question after the others that ask at the same time; `asked` are the prompts in order."""

    asked: tuple[str, ...] = ()
    answered: int = 0
    answered_before: tuple[int, ...] = ()
    """For each prompt, how many requests were answered before it was asked."""

    async def greedy_steps(
        self, model: str, prompt: Sequence[int], asked: Sequence[int], count: int
    ) -> list[TokenStep] | str:
        self.asked = (*self.asked, "".join(map(chr, prompt)))
        self.answered_before = (*self.answered_before, self.answered)
        await asyncio.sleep(0.2 if len(self.asked) == 1 else 0)
        self.answered += 1
        return await super().greedy_steps(model, prompt, asked, count)


async def test_the_first_question_after_the_same_examples_is_answered_before_the_others_are_asked(folder: Path) -> None:
    engine = FirstIsSlow(seed=3, reads_prompts=False)
    # Its questions have the same examples: none.
    await run(engine, folder, "choice_texts")
    assert len({prompt for prompt in engine.asked if prompt.endswith("Answer:")}) == len(CHOICE_ROWS)
    assert engine.answered_before[:2] == (0, 1)


async def test_a_continuation_without_tokens_is_certain(folder: Path) -> None:
    async with AnswerCollector(HarnessLetters(seed=3), 8, 5).model("base", None) as model:
        harness = EngineLM(HarnessLetters(seed=3), model, asyncio.get_running_loop())
        [found] = await asyncio.to_thread(harness.loglikelihood, [Instance("loglikelihood", {}, ("Yes", ""), 0)])
    assert found == (0.0, True)


class AskedByName(HarnessLetters):
    """Each request for tokens looks its server's address up in the pool of threads, as a client of HTTP does."""

    async def encode(self, base: str, text: str, special: bool) -> list[int]:
        await asyncio.to_thread(time.sleep, 0)
        return await super().encode(base, text, special)


async def test_many_questions_leave_threads_for_looking_up_the_engine(folder: Path) -> None:
    # One for the harness, one for the requests.
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(2))
    async with asyncio.timeout(30):
        assert await run(AskedByName(seed=3), folder, "numbers")


@pytest.mark.parametrize(
    ("writes", "share"), [(" #### 7", 0.5), (" #### 7 and more", 0.5), (" #### 8", 0), (" ####", 0)]
)
async def test_a_continuation_is_greedy_if_the_model_would_write_all_of_it(
    folder: Path, writes: str, share: float
) -> None:
    engine = HarnessLetters(seed=3, reads_prompts=False, writes=writes)
    found = (await run(engine, folder, "last_words")).scores
    assert found["acc"].value == share
    expected = reference(engine, folder, "last_words")["perplexity"]
    assert found["perplexity"].value == pytest.approx(expected, abs=1e-9)


@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")
async def test_a_question_that_the_engine_refuses_is_one_error_whatever_its_choices(folder: Path) -> None:
    result = await run(Refusing(seed=3, reads_prompts=False), folder, "choice_texts")
    assert result.item_errors == len(CHOICE_ROWS)
    assert (await run(Refusing(seed=3), folder, "choice_texts")).item_errors == len(CHOICE_ROWS)


async def test_samples_versions_and_subjects_are_kept(folder: Path) -> None:
    result = await run(HarnessLetters(seed=3), folder, "choices")
    rows = [json.loads(line) for line in result.lines.splitlines()]
    assert {row["subject"] for row in rows} == {"choice_texts", "choice_letters"}
    assert len(rows) == 24
    assert sum(row["scores"]["acc"] for row in rows) / 24 == pytest.approx(result.scores["acc"].value, abs=1e-9)
    assert set(result.subjects) == {"choice_texts", "choice_letters"}
    assert result.versions["choice_texts"] == "3"
    assert result.intervals["acc"].method == "wilson"


async def test_the_filters_of_a_task_are_metrics_of_their_own(folder: Path) -> None:
    result = await run(HarnessLetters(seed=3), folder, "numbers")
    assert set(result.scores) == {"exact_match_strict", "exact_match_plain"}
    rows = [json.loads(line) for line in result.lines.splitlines()]
    assert all(set(row["scores"]) == set(result.scores) for row in rows)


async def test_an_adapter_is_asked_by_its_name_and_a_restart_is_waited_for(folder: Path, monkeypatch) -> None:
    monkeypatch.setattr("services.evaluator.scoring.service.answer_collector.RETRY_PAUSES_S", (0.01,))
    engine = HarnessLetters(seed=3, reads_prompts=False)
    adapter = Adapter("eval-v-1", folder)
    with_adapter = await run(replace(engine, away_for=2), folder, "choice_letters", adapter)
    await run(engine, folder, "choice_letters", adapter)
    assert set(engine.models) == {"eval-v-1"}
    assert with_adapter.scores == (await run(engine, folder, "choice_letters")).scores


async def test_an_unknown_task_and_a_data_set_that_is_not_there_are_refused_with_a_hint(
    folder: Path, monkeypatch
) -> None:
    with pytest.raises(CannotBeScored, match="no task or group 'nothing'"):
        await run(HarnessLetters(), folder, "nothing")
    for table in folder.glob("numbers.jsonl"):
        table.unlink()
    with pytest.raises(CannotBeScored, match=r"HF_HOME.*data_files") as refused:
        await run(HarnessLetters(), folder, "numbers")
    assert refused.value.code == "dataset_unavailable"


async def test_a_suite_names_a_task_of_the_harness_and_nothing_else(tmp_path: Path) -> None:
    task = read_task({"name": "law", "kind": "lm_eval", "lm_eval": {"task": "mmlu_law", "num_fewshot": 5}})
    checker: Any = TaskChecker
    await checker(None).check(task)
    for wrong in (
        {"kind": "lm_eval"},
        {"kind": "lm_eval", "lm_eval": {"task": "../x"}},
        {"kind": "lm_eval", "lm_eval": {"task": "x"}, "data": {"rows": [{"question": "q", "answer": "a"}]}},
        {"lm_eval": {"task": "x"}, "data": {"rows": []}},
    ):
        with pytest.raises(CannotBeScored) as refused:
            read_task({"name": "law", **wrong})
        assert refused.value.code == "bad_task"
