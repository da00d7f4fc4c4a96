"""Which choice a model finds likeliest, by as few short requests as decide it, and how likely one text is.

A choice's log-likelihood is the sum over its tokens, as lm-evaluation-harness has it for `acc`. One request gives the
next token's log-probability for every choice at once, which decides items whose choices begin differently and are one
token long. Since a sum only falls with each token, the best unfinished choice alone is followed, and the first finished
one that no other exceeds has won: the rest is never asked for, and the decision is the same.
"""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from services.evaluator.domain.results import Answer
from services.evaluator.domain.suite import Item
from services.evaluator.ports import Engine

BETWEEN = " "
"""What stands between a prompt and a choice."""
MOST_TOKENS = 256


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
        while True:
            best = max(choices, key=lambda choice: choice.logprob)
            if best.finished:
                return Answer(best.text)
            refusal = await self._follow(model, context, best, choices)
            if refusal is not None:
                return Answer("", error=refusal)

    async def weigh(self, model: str, base: str, item: Item) -> Answer:
        """The likelihood of an item's reference after its prompt, as JSON; of its first tokens where it is long."""
        prompt = str(item.prompt[0]["content"])
        context = await self._tokens(base, prompt)
        tokens = (await self._continuation(base, prompt, item.reference))[:MOST_TOKENS]
        if not context or not tokens:
            return Answer("", error="there is nothing to weigh, or nothing before it")
        logprob = 0.0
        for at, token in enumerate(tokens):
            found = await self.engine.next_logprobs(model, [*context, *tokens[:at]], [token])
            if isinstance(found, str):
                return Answer("", error=found)
            logprob += found[token]
        return Answer(json.dumps({"logprob": logprob, "tokens": len(tokens)}))

    async def _follow(self, model: str, context: list[int], best: _Choice, choices: Sequence[_Choice]) -> str | None:
        """Weigh the next token of the best choice, and of all that share its beginning."""
        begun = best.tokens[: best.done]
        alike = [
            each
            for each in choices
            if not each.finished and each.done == best.done and each.tokens[: best.done] == begun
        ]
        asked = sorted({each.tokens[each.done] for each in alike})
        found = await self.engine.next_logprobs(model, [*context, *begun], asked)
        if isinstance(found, str):
            return found
        for each in alike:
            each.logprob += found[each.tokens[each.done]]
            each.done += 1
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


def _shared(choices: Sequence[Sequence[int]]) -> int:
    """How many tokens all begin with: they add the same to each sum, so that nobody need ask for them."""
    same = 0
    for together in zip(*choices, strict=False):
        if len(set(together)) > 1:
            break
        same += 1
    return same
