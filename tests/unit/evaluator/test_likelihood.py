"""Multiple choice decisions equal lm-evaluation-harness, with fewer requests."""

import asyncio
import json
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from services.evaluator.scoring.adapters.metrics import registry
from services.evaluator.scoring.domain.answer import Answer, TokenStep
from services.evaluator.scoring.domain.item import CannotBeScored, Item
from services.evaluator.scoring.domain.metrics import measure
from services.evaluator.scoring.service.answer_collector import AnswerCollector
from tests.unit.evaluator.test_answer_collector import MemoryEngine


@dataclass
class Letters(MemoryEngine):
    """An engine whose tokens are characters; a seed determines their probabilities."""

    seed: int = 0
    requests: int = 0
    refuse: str = ""

    async def tokens(self, model: str, text: str) -> list[int]:
        return [ord(character) for character in text]

    async def next_steps(
        self, model: str, prompt: Sequence[int], asked: Sequence[int], count: int
    ) -> list[TokenStep] | str:
        self.requests += 1
        if self.refuse:
            return self.refuse
        steps: list[TokenStep] = []
        for _ in range(count):
            likely = {token: self.logprob(prompt, token) for token in asked}
            taken = max(likely, key=lambda token: likely[token])
            prompt = [*prompt, taken]
            steps.append(TokenStep(taken, likely))
        return steps

    def logprob(self, prompt: Sequence[int], token: int) -> float:
        return math.log(random.Random(f"{self.seed}{list(prompt)}{token}").random())


def item(*choices: str) -> Item:
    prompt: tuple[dict[str, Any], ...] = ({"role": "user", "content": "Question: q?\nAnswer:"},)
    return Item(prompt, choices[0], choices)


def likelihood(engine: Letters, choice: str) -> float:
    """The sum over the choice's tokens after the prompt, like lm-evaluation-harness."""
    tokens = [ord(character) for character in f"Question: q?\nAnswer: {choice}"]
    start = len("Question: q?\nAnswer:")
    return sum(engine.logprob(tokens[:at], tokens[at]) for at in range(start, len(tokens)))


@pytest.mark.parametrize("seed", range(25))
async def test_the_choice_with_the_highest_log_likelihood_wins(seed) -> None:
    engine = Letters(seed=seed)
    choices = ("Rome", "Romania", "Oslo", "O", "北京")
    [answer] = await AnswerCollector(engine, 4, 5).answers("base", None, [item(*choices)], 1)
    assert answer == Answer(max(choices, key=lambda choice: likelihood(engine, choice)))
    assert engine.requests <= len(set("".join(choices))) + 4


@pytest.mark.parametrize(("choices", "requests"), [("ABCD", 1), (("17", "18", "19"), 1), (("O", "Oslo"), 0)])
async def test_choices_of_one_token_take_one_request_and_a_common_prefix_takes_none(choices, requests) -> None:
    engine = Letters()
    [answer] = await AnswerCollector(engine, 4, 5).answers("base", None, [item(*choices)], 1)
    assert answer.text == max(choices, key=lambda choice: likelihood(engine, choice))
    assert engine.requests == requests


async def test_the_first_prompt_with_the_same_examples_runs_alone() -> None:
    @dataclass
    class Watched(Letters):
        begun: list[str] = field(default_factory=list)

        async def next_steps(self, model: str, prompt: Sequence[int], asked: Sequence[int], count: int) -> Any:
            text = "".join(map(chr, prompt))
            self.begun.append(f"begin {text}")
            await asyncio.sleep(0.01)
            self.begun.append(f"end {text}")
            return await super().next_steps(model, prompt, asked, count)

    engine = Watched()
    asked = [
        Item(({"role": "user", "content": f"{examples}\n\n{n}?"},), "A", ("A", "B")) for n in "123" for examples in "xy"
    ]
    await AnswerCollector(engine, 8, 5).answers("base", None, asked, 1)
    for examples in "xy":
        first, second, *others = [said for said in engine.begun if f" {examples}\n" in said]
        assert (first.split()[0], second.split()[0]) == ("begin", "end")
        assert [said.split()[0] for said in others] == ["begin"] * 2 + ["end"] * 2
    assert [said.split()[0] for said in engine.begun[:2]] == ["begin"] * 2


async def test_a_references_log_likelihood_is_the_sum_over_its_tokens_and_perplexity_its_exponential() -> None:
    engine = Letters(seed=3)
    items = [replace(item(text), choices=(), likelihood_only=True) for text in ("Rome", "北京")]
    answers = await AnswerCollector(engine, 4, 5).answers("base", None, items, 1)
    sums = [likelihood(engine, text) for text in ("Rome", "北京")]
    assert [json.loads(answer.text)["logprob"] for answer in answers] == pytest.approx(sums, abs=1e-9)
    found = measure([answer.text for answer in answers], ["Rome", "北京"], registry.load(["perplexity"]))["perplexity"]
    # The space before each is a token of this engine: five and three tokens.
    assert found.score.value == pytest.approx(math.exp(-sum(sums) / 8), abs=1e-9)
    assert found.items == pytest.approx((sums[0] / 5, sums[1] / 3))


async def test_a_refused_prompt_is_an_empty_answer_with_the_reason() -> None:
    engine = Letters(refuse="400 too long")
    with pytest.raises(CannotBeScored, match="400 too long"):
        await AnswerCollector(engine, 4, 5).answers("base", None, [item("A", "B")], 1)
