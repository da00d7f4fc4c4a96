"""Which choice a model finds likeliest, by as few short requests as decide it, and how likely one text is.

A choice's log-likelihood is the sum over its tokens, as lm-evaluation-harness has it for `acc`. One request gives the
next token's log-probability for every choice at once, which decides items whose choices begin differently and are one
token long. Since a sum only falls with each token, the best unfinished choice alone is followed, and the first finished
one that no other exceeds has won: the rest is never asked for, and the decision is the same. While the engine takes a
choice's tokens one after another by itself, the same request weighs those as well.

Prompts with the same examples begin alike. The first of them goes ahead, so that the others find the examples in the
engine's cache: what is asked at once is computed as often as it is asked.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from services.evaluator.domain.results import Answer
from services.evaluator.domain.suite import Item
from services.evaluator.ports import Engine

BETWEEN = " "
"""What stands between a prompt and a choice."""
EXAMPLES_END = "\n\n"
MOST_TOKENS = 256
LOOK_AHEAD = 4
"""So many tokens of a choice are weighed by one request, as long as the model takes them one after another."""


@dataclass
class _Choice:
    """One choice's tokens, how many of them have been weighed, and the sum of those."""

    text: str
    tokens: tuple[int, ...]
    done: int = 0
    logprob: float = 0.0

    @property
    def finished(self) -> bool:
        return self.done == len(self.tokens)


@dataclass(frozen=True)
class Choosing:
    """Asks one engine. Tokens are remembered, since the same prompt ends and choices come again and again."""

    engine: Engine
    _known: dict[str, "asyncio.Task[list[int]]"] = field(default_factory=dict)
    _computed: dict[str, asyncio.Event] = field(default_factory=dict)

    async def answer(self, model: str, base: str, item: Item) -> Answer:
        """The likeliest choice of an item; of equals the first. Raises `EngineUnavailable` and `AdapterGone`."""
        prompt = str(item.prompt[0]["content"])
        context = await self._tokens(base, prompt)
        choices = [_Choice(text, await self._continuation(base, prompt, text)) for text in item.choices]
        if empty := next((choice.text for choice in choices if not choice.tokens), None):
            return Answer("", error=f"the choice {empty[:80]!r} is no token of its own after the prompt")
        shared = _shared([choice.tokens for choice in choices])
        context = [*context, *choices[0].tokens[:shared]]
        choices = [_Choice(choice.text, choice.tokens[shared:]) for choice in choices]
        async with self._after_the_first(prompt):
            refusal = await self._follow(model, context, choices)
        while refusal is None:
            if (best := _best(choices)).finished:
                return Answer(best.text)
            refusal = await self._follow(model, context, choices)
        return Answer("", error=refusal)

    async def weigh(self, model: str, base: str, item: Item) -> Answer:
        """The likelihood of an item's reference after its prompt, as JSON; of its first tokens where it is long."""
        prompt = str(item.prompt[0]["content"])
        context = await self._tokens(base, prompt)
        tokens = (await self._continuation(base, prompt, item.reference))[:MOST_TOKENS]
        if not context or not tokens:
            return Answer("", error="there is nothing to weigh, or nothing before it")
        text = _Choice(item.reference, tokens)
        while not text.finished:
            refusal = await self._follow(model, context, [text])
            if refusal is not None:
                return Answer("", error=refusal)
        return Answer(json.dumps({"logprob": text.logprob, "tokens": len(tokens)}))

    @asynccontextmanager
    async def _after_the_first(self, prompt: str) -> AsyncGenerator[None]:
        """Waits until the first prompt with the same examples has been answered, or could not be."""
        examples = prompt[: prompt.rfind(EXAMPLES_END) + 1]
        computed = self._computed.get(examples)
        if computed is not None:
            await computed.wait()
            yield
            return
        computed = self._computed[examples] = asyncio.Event()
        try:
            yield
        finally:
            computed.set()

    async def _follow(self, model: str, context: list[int], choices: Sequence[_Choice]) -> str | None:
        """Weigh the next token of the best choice, and of all that share its beginning; why not, where it cannot be."""
        best = _best(choices)
        if best.finished:
            return None
        begun = best.tokens[: best.done]
        alike = [each for each in choices if each.done == best.done and each.tokens[: best.done] == begun]
        # Of these tokens the model mostly takes the next one of the best choice, and to ask again costs far more.
        count = min(LOOK_AHEAD, max(len(each.tokens) for each in alike) - best.done)
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
        """A choice's tokens as they follow the prompt. No usual tokenizer joins anything across a line's end."""
        last = prompt[prompt.rfind("\n") + 1 :]
        before, whole = await asyncio.gather(self._tokens(base, last), self._tokens(base, f"{last}{BETWEEN}{choice}"))
        return tuple(whole[len(before) :])

    async def _tokens(self, base: str, text: str) -> list[int]:
        known = self._known.get(text)
        if known is None or (known.done() and (known.cancelled() or known.exception() is not None)):
            known = self._known[text] = asyncio.ensure_future(self.engine.tokens(base, text))
        return await asyncio.shield(known)


def _best(choices: Sequence[_Choice]) -> _Choice:
    return max(choices, key=lambda choice: choice.logprob)


def _shared(choices: Sequence[Sequence[int]]) -> int:
    """How many tokens all begin with: they add the same to each sum, so that nobody need ask for them."""
    same = 0
    for together in zip(*choices, strict=False):
        if len(set(together)) > 1:
            break
        same += 1
    return same
