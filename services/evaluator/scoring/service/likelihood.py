"""Log-likelihoods of choices and references, with as few requests as possible.

A choice's log-likelihood is the sum over its tokens, like `acc` of lm-evaluation-harness. One request returns the next
token's log-probability for all choices at once; that decides items whose choices are one token long and begin
differently. A sum only falls with each token. So only the best unfinished choice is continued, and the first finished
choice that no other exceeds wins; the decision is the same as with all sums. While the engine itself takes a choice's
tokens one after another, the same request measures those too.
"""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from services.evaluator.scoring.domain.answer import Answer
from services.evaluator.scoring.domain.item import Item
from services.evaluator.scoring.ports import Engine
from services.evaluator.scoring.service.shared_examples import SharedExamples

TARGET_DELIMITER = " "
"""Stands between a prompt and a choice."""
MAX_REFERENCE_TOKENS = 256
LOOK_AHEAD_TOKENS = 4
"""Tokens of a choice that one request measures, as long as the model takes them one after another."""


@dataclass
class _Choice:
    """One choice's tokens, how many of them are measured, and the sum of their log-probabilities."""

    text: str
    tokens: tuple[int, ...]
    done: int = 0
    logprob: float = 0.0

    @property
    def finished(self) -> bool:
        return self.done == len(self.tokens)


@dataclass(frozen=True)
class LikelihoodScorer:
    """Asks one engine. Tokens are cached, because the same prompts and choices occur again and again."""

    engine: Engine
    _token_cache: dict[str, "asyncio.Task[list[int]]"] = field(default_factory=dict)
    _examples: SharedExamples = field(default_factory=SharedExamples)

    async def choose(self, model: str, base: str, item: Item) -> Answer:
        """The likeliest choice of an item, the first of equals. Raises `EngineUnavailable` and `AdapterGone`."""
        prompt = str(item.prompt[0]["content"])
        context = await self._tokens(base, prompt)
        choices = [_Choice(text, await self._continuation(base, prompt, text)) for text in item.choices]
        if empty := next((choice.text for choice in choices if not choice.tokens), None):
            return Answer("", error=f"the choice {empty[:80]!r} adds no token to the prompt")
        common = _common_prefix_length([choice.tokens for choice in choices])
        context = [*context, *choices[0].tokens[:common]]
        choices = [_Choice(choice.text, choice.tokens[common:]) for choice in choices]
        async with self._examples.after_the_first(prompt):
            refusal = await self._measure_best(model, context, choices)
        while refusal is None:
            if (best := _best(choices)).finished:
                return Answer(best.text)
            refusal = await self._measure_best(model, context, choices)
        return Answer("", error=refusal)

    async def reference_likelihood(self, model: str, base: str, item: Item) -> Answer:
        """The log-likelihood of an item's reference after its prompt, as JSON; of a long one's first tokens."""
        prompt = str(item.prompt[0]["content"])
        context = await self._tokens(base, prompt)
        tokens = (await self._continuation(base, prompt, item.reference))[:MAX_REFERENCE_TOKENS]
        if not context or not tokens:
            return Answer("", error="the prompt or the reference is empty")
        text = _Choice(item.reference, tokens)
        while not text.finished:
            refusal = await self._measure_best(model, context, [text])
            if refusal is not None:
                return Answer("", error=refusal)
        return Answer(json.dumps({"logprob": text.logprob, "tokens": len(tokens)}))

    async def _measure_best(self, model: str, context: list[int], choices: Sequence[_Choice]) -> str | None:
        """Measure the next token of the best choice and of all with the same beginning; returns a refusal."""
        best = _best(choices)
        if best.finished:
            return None
        begun = best.tokens[: best.done]
        alike = [each for each in choices if each.done == best.done and each.tokens[: best.done] == begun]
        # The model mostly takes the best choice's next token, and another request costs far more.
        count = min(LOOK_AHEAD_TOKENS, max(len(each.tokens) for each in alike) - best.done)
        asked = {token for each in alike for token in each.tokens[best.done : best.done + count]}
        steps = await self.engine.next_steps(model, [*context, *begun], sorted(asked), count)
        if isinstance(steps, str):
            return steps
        for step in steps:
            alike = [each for each in alike if not each.finished]
            for each in alike:
                each.logprob += step.logprobs[each.tokens[each.done]]
                each.done += 1
            alike = [each for each in alike if each.tokens[each.done - 1] == step.taken]
        return None

    async def _continuation(self, base: str, prompt: str, choice: str) -> tuple[int, ...]:
        """A choice's tokens after the prompt. No usual tokenizer joins characters across the end of a line."""
        last = prompt[prompt.rfind("\n") + 1 :]
        before, complete = await asyncio.gather(
            self._tokens(base, last), self._tokens(base, f"{last}{TARGET_DELIMITER}{choice}")
        )
        return tuple(complete[len(before) :])

    async def _tokens(self, base: str, text: str) -> list[int]:
        cached = self._token_cache.get(text)
        if cached is None or (cached.done() and (cached.cancelled() or cached.exception() is not None)):
            cached = self._token_cache[text] = asyncio.ensure_future(self.engine.tokens(base, text))
        return await asyncio.shield(cached)


def _best(choices: Sequence[_Choice]) -> _Choice:
    return max(choices, key=lambda choice: choice.logprob)


def _common_prefix_length(choices: Sequence[Sequence[int]]) -> int:
    """How many first tokens all choices share: they add the same to each sum, so they need no request."""
    same = 0
    for together in zip(*choices, strict=False):
        if len(set(together)) > 1:
            break
        same += 1
    return same
