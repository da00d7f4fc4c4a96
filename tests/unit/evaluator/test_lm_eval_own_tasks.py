"""Tasks that ship in lm-evaluation-harness give the figures of its own client, `local-completions`, to 1e-9.

Both get the same recorded replies of an engine. The datasets are files of the same columns, because the real ones
cannot be fetched in tests.
"""

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lm_eval
import pytest
from lm_eval import simple_evaluate
from lm_eval.models.openai_completions import LocalCompletionsAPI
from lm_eval.tasks import TaskManager

from services.evaluator.scoring.domain.answer import Answer
from tests.unit.evaluator.test_lm_eval_runner import PREFIX, HarnessLetters, _no_description_of_the_machine, run

TASKS = Path(lm_eval.__file__).parent / "tasks"
CONTEXT = 300
"""Tokens; pages are longer, so that a rolling likelihood needs several windows."""
SENTENCES = [f"in the year {1900 + n} a cat sat on a mat and thought of " + "ab"[n % 2] for n in range(40)]
PAGES = [f' = Page {n} = \n The cat , who sat on {n} mats , "went home" . \n' * 8 for n in range(4)]
DATA: dict[str, tuple[str, list[dict[str, Any]]]] = {
    "arc_easy": (
        "arc/arc_easy.yaml",
        [
            {
                "question": f"Which is {n}?",
                "choices": {"text": ["one", "two of them", "three"], "label": ["A", "B", "C"]},
                "answerKey": "ABC"[n % 3],
            }
            for n in range(15)
        ],
    ),
    "hellaswag": (
        "hellaswag/hellaswag.yaml",
        [
            {
                "activity_label": "Cooking",
                "ctx_a": f"[header] Step {n}.",
                "ctx_b": "the cook then",
                "endings": ["stirs [step] the pot.", "sleeps.", "goes home early", "sings"],
                "label": str(n % 4),
            }
            for n in range(12)
        ],
    ),
    "gsm8k": (
        "gsm8k/gsm8k.yaml",
        [{"question": f"What is {n} + {n}?", "answer": f"It is. #### {(7, 12)[n % 2]}"} for n in range(15)],
    ),
    "nq_open": (
        "nq_open/nq_open.yaml",
        [{"question": f"who is {n}", "answer": ["the cat", "home"]} for n in range(15)],
    ),
    "lambada_openai": ("lambada/lambada_openai.yaml", [{"text": text} for text in SENTENCES]),
    "lambada_standard": ("lambada/lambada_standard.yaml", [{"text": text + " a"} for text in SENTENCES]),
    "wikitext": ("wikitext/wikitext.yaml", [{"page": page} for page in PAGES]),
    "pile_arxiv": ("pile/pile_arxiv.yaml", [{"text": page[:40]} for page in PAGES] + [{"text": PAGES[0]}]),
}


@dataclass
class Recorded(HarnessLetters):
    """The likeliest token follows from the context alone, so that both ways of asking say the same."""

    context: int = CONTEXT

    async def context_length(self, base: str) -> int:
        return self.context

    async def prompt_logprobs(self, model: str, prompt: Sequence[int]) -> list[tuple[float, bool]] | str:
        return self.read(prompt) if len(prompt) < self.context else "400 no room for an answer"

    async def complete(
        self, model: str, prompt: Sequence[int], max_tokens: int, stop: Sequence[str], temperature: float
    ) -> Answer:
        assert temperature == 0
        return Answer(self.written(prompt, stop))

    def read(self, prompt: Sequence[int]) -> list[tuple[float, bool]]:
        places = range(1, len(prompt))
        return [
            (0.0, True),
            *((self.logprob(prompt[:n], prompt[n]), prompt[n] == self.likeliest(prompt[:n])) for n in places),
        ]

    def likeliest(self, text: Sequence[int]) -> int:
        """A space, an a or a b, so that some continuations are greedy."""
        return ord(random.Random(f"next{list(text)}").choice(" ab"))

    def written(self, prompt: Sequence[int], stop: Sequence[str]) -> str:
        draw = random.Random(f"written{list(prompt)}")
        words = draw.choices(("the", "cat", "#### 7", "#### 12", "12", "home", "Question: no\n"), k=draw.randint(1, 4))
        text = " ".join(words)
        for each in stop:
            text = text.split(each)[0]
        return text


class Client(LocalCompletionsAPI):
    """The harness's own client of an engine; its requests are answered from the record."""

    def __init__(self, engine: Recorded) -> None:
        # It leaves one token for generation by itself.
        super().__init__(
            model="m", base_url="http://none", tokenizer_backend=None, max_length=engine.context, eos_string="\0"
        )
        self._engine = engine
        self.tokenizer, self.tokenized_requests = "characters", True

    @property
    def prefix_token_id(self) -> int:  # type: ignore[override]
        return PREFIX

    def tok_encode(self, string: Any, **_options: Any) -> Any:
        if isinstance(string, str):
            return [ord(character) for character in string]
        return [self.tok_encode(each) for each in string]

    def model_call(
        self, messages: Any, *, generate: bool = True, gen_kwargs: Any = None, **_more: Any
    ) -> dict[str, Any]:
        payload = self._create_payload(
            self.create_message(messages), generate=generate, gen_kwargs=dict(gen_kwargs or {}), eos=self.eos_string
        )
        answer = self._written if generate else self._read
        return {"choices": [answer(place, prompt, payload) for place, prompt in enumerate(payload["prompt"])]}

    def _written(self, place: int, prompt: list[int], payload: dict[str, Any]) -> dict[str, Any]:
        return {"index": place, "text": self._engine.written(prompt, payload["stop"])}

    def _read(self, place: int, prompt: list[int], _payload: dict[str, Any]) -> dict[str, Any]:
        # The last one is the generated token, which the harness leaves out.
        steps = [*self._engine.read(prompt), (-1.0, True)]
        return {
            "index": place,
            "logprobs": {
                "token_logprobs": [value for value, _ in steps],
                "top_logprobs": [{"likeliest": value if greedy else value + 1} for value, greedy in steps],
            },
        }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The operator's folder: the harness's own tasks under other names, with local files for their datasets."""
    for name, (place, rows) in DATA.items():
        table = tmp_path / f"{name}.jsonl"
        table.write_text("".join(json.dumps(row) + "\n" for row in rows))
        changes = {
            "include": str(TASKS / place),
            "task": f"own_{name}",
            "dataset_path": "json",
            "dataset_name": None,
            "dataset_kwargs": {"data_files": {"test": str(table)}, "cache_dir": str(tmp_path / "cache")},
            "training_split": None,
            "validation_split": None,
            "test_split": "test",
            "fewshot_split": "test",
        }
        (tmp_path / f"{name}.yaml").write_text(json.dumps(changes))
    return tmp_path


def theirs(engine: Recorded, folder: Path, task: str) -> dict[str, float]:
    manager = TaskManager(include_path=str(folder), include_defaults=False)
    found = simple_evaluate(model=Client(engine), tasks=[task], bootstrap_iters=0, task_manager=manager)
    assert found is not None
    figures = found["results"][task]
    names = {key: key.removesuffix(",none").replace(",", "_") for key in figures if "," in key and "_stderr" not in key}
    return {name: figures[key] for key, name in names.items()}


@pytest.mark.parametrize("task", DATA)
async def test_every_figure_of_a_shipped_task_equals_the_harness_with_its_own_client(folder: Path, task: str) -> None:
    long = task == "gsm8k"
    engine = Recorded(seed=5, context=4096 if long else CONTEXT)
    expected = theirs(engine, folder, f"own_{task}")
    found = (await run(engine, folder, f"own_{task}")).scores
    assert {name: found[name].value for name in expected} == pytest.approx(expected, abs=1e-9)
    assert expected
    # Figures that are all 0 or 1 would be equal for many reasons.
    assert any(0 < value < 1 for value in expected.values()) or "perplexity" in str(expected)


async def test_likelihoods_of_an_adapter_step_by_step_equal_those_that_are_read_at_once(folder: Path) -> None:
    for task in ("own_lambada_openai", "own_arc_easy"):
        at_once = await run(Recorded(seed=5), folder, task)
        step_by_step = await run(Recorded(seed=5, reads_prompts=False), folder, task)
        assert {name: score.value for name, score in step_by_step.scores.items()} == pytest.approx(
            {name: score.value for name, score in at_once.scores.items()}, abs=1e-9
        )
        assert 0 < at_once.scores["acc"].value < 1


__all__ = ["_no_description_of_the_machine"]
