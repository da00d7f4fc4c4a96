"""A model of lm-evaluation-harness that asks an engine: its requests run concurrently, adapters go by their names.

The harness calls from its own thread; each call is handed to the event loop of the engine.
"""

import asyncio
import functools
import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from lm_eval.api.model import TemplateLM
from lm_eval.utils import get_rolling_token_windows, make_disjoint_window

from services.evaluator.scoring.domain.answer import TokenStep
from services.evaluator.scoring.domain.item import CannotBeScored
from services.evaluator.scoring.ports import HarnessEngine
from services.evaluator.scoring.service.answer_collector import LoadedModel, gathered
from services.evaluator.scoring.service.likelihood import LOOK_AHEAD_TOKENS
from services.evaluator.scoring.service.shared_examples import SharedExamples

T = TypeVar("T")
_StepsRequest = Callable[[str, Sequence[int], Sequence[int], int], Awaitable[list[TokenStep] | str]]
# Engines read a prompt anew when they report its log-probabilities. Requests about next tokens find the prompt in the
# prefix cache; measuring a token in this way, beside other questions, costs about as much as reading so many tokens.
_STEP_TOKENS = 8
_MOST_ASKED = 128
"""vLLM reports the log-probabilities of no more tokens in one step."""
DEFAULT_MAX_TOKENS = 256
"""The harness's own default for tasks that set none."""


@dataclass
class _Continuation:
    """How many of its tokens are measured, their summed log-probability, and whether the model would take them."""

    tokens: list[int]
    done: int = 0
    logprob: float = 0.0
    greedy: bool = True

    @property
    def begun(self) -> list[int]:
        return self.tokens[: self.done]

    @property
    def rest(self) -> list[int]:
        return self.tokens[self.done :]

    def take(self, step: TokenStep) -> None:
        token = self.tokens[self.done]
        self.logprob += step.logprobs[token]
        self.greedy = self.greedy and step.taken == token
        self.done += 1

    def mark_refused(self) -> None:
        self.logprob, self.greedy, self.done = float("-inf"), False, len(self.tokens)


class EngineLM(TemplateLM):
    """One model on one engine. `loop` runs the engine's requests."""

    def __init__(self, engine: HarnessEngine, model: LoadedModel, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._engine = engine
        self._model = model
        self._loop = loop
        self._examples = SharedExamples()
        self._encoded = functools.lru_cache(maxsize=100_000)(self._encode)
        self.errors = 0
        """Contexts and questions that the engine refused."""

    @functools.cached_property
    def max_length(self) -> int:
        """Tokens of a prompt: the engine needs one more for its answer, also where nobody reads that."""
        return self._wait(self._ask(lambda _name, base: self._engine.context_length(base))) - 1

    @functools.cached_property
    def eot_token_id(self) -> int:
        return self._wait(self._ask(lambda _name, base: self._engine.prefix_token(base)))

    def tok_encode(self, string: str, add_special_tokens: bool | None = None, **_options: Any) -> list[int]:
        return list(self._encoded(string, add_special_tokens is not False))

    def loglikelihood_rolling(self, requests: Any, disable_tqdm: bool = False) -> list[float]:
        if not self._engine.reads_prompts:
            raise CannotBeScored(
                "needs_merged_weights",
                "rolling log-likelihoods need an engine with merged weights: set EVALUATOR_ENGINE_MODE=weights",
            )
        windows = [self._windows(request.args[0]) for request in requests]
        flat = [window for each in windows for window in each]
        values = iter(self._loglikelihood_tokens(flat))
        return [sum(next(values)[0] for _window in each) for each in windows]

    def generate_until(self, requests: Any, disable_tqdm: bool = False) -> list[str]:
        return self._all([functools.partial(self._generate, *request.args) for request in requests])

    def _loglikelihood_tokens(
        self, requests: Sequence[tuple[Any, list[int], list[int]]], **_options: Any
    ) -> list[tuple[float, bool]]:
        # Equal contexts are asked about together.
        together: dict[tuple[int, ...], list[int]] = {}
        for place, (_texts, context, continuation) in enumerate(requests):
            kept = context[-(self.max_length - len(continuation)) :]
            together.setdefault(tuple(kept), []).append(place)
        work = [
            functools.partial(
                self._likelihoods, _text(requests[places[0]]), list(context), [requests[place][2] for place in places]
            )
            for context, places in together.items()
        ]
        found: list[tuple[float, bool]] = [(0.0, False)] * len(requests)
        for places, values in zip(together.values(), self._all(work), strict=True):
            for place, value in zip(places, values, strict=True):
                found[place] = value
        return found

    async def _likelihoods(
        self, text: str, context: list[int], continuations: list[list[int]]
    ) -> list[tuple[float, bool]]:
        stepped = [_Continuation(each) for each in continuations if not self._is_read(context, each)]
        if any(each.rest for each in stepped):
            async with self._examples.after_the_first(text):
                await self._measure_greedy(context, stepped)
        await self._measure_all(context, stepped)
        steps = ((each.logprob, each.greedy) for each in stepped)
        read = [self._read(context, each) for each in continuations if self._is_read(context, each)]
        wholes = iter(await gathered(read))
        found = [next(wholes if self._is_read(context, each) else steps) for each in continuations]
        self.errors += any(math.isinf(logprob) for logprob, _greedy in found)
        return found

    def _is_read(self, context: list[int], continuation: list[int]) -> bool:
        """Whether a request that reads context and continuation costs less than asking for next tokens."""
        return self._engine.reads_prompts and _STEP_TOKENS * len(continuation) > len(context) + len(continuation)

    async def _read(self, context: list[int], continuation: list[int]) -> tuple[float, bool]:
        read = await self._ask(lambda name, _base: self._engine.prompt_logprobs(name, [*context, *continuation]))
        if isinstance(read, str):
            return float("-inf"), False
        own = read[len(context) :]
        return sum(logprob for logprob, _greedy in own), all(greedy for _logprob, greedy in own)

    async def _measure_all(self, context: list[int], continuations: list[_Continuation]) -> None:
        """First as far as the model would write them itself, then each alone."""
        while any(each.greedy and each.rest for each in continuations):
            await self._measure_greedy(context, continuations)
        await gathered([self._measure_alone(context, each) for each in continuations])

    async def _measure_greedy(self, context: list[int], continuations: list[_Continuation]) -> None:
        # They share the tokens measured so far, because the model would write these.
        written = [each for each in continuations if each.greedy and each.rest]
        await self._measure(self._engine.greedy_steps, [*context, *written[0].begun], written)

    async def _measure_alone(self, context: list[int], continuation: _Continuation) -> None:
        while continuation.rest:
            await self._measure(self._engine.next_steps, [*context, *continuation.begun], [continuation])

    async def _measure(self, ask: _StepsRequest, prompt: list[int], alike: list[_Continuation]) -> None:
        """Measure what follows the prompt, until the model takes other tokens or the engine refuses the prompt."""
        count = min(LOOK_AHEAD_TOKENS, max(len(each.rest) for each in alike))
        while len(asked := {token for each in alike for token in each.rest[:count]}) > _MOST_ASKED and count > 1:
            count -= 1
        steps = await self._ask(lambda name, _base: ask(name, prompt, sorted(asked), count))
        if isinstance(steps, str):
            for each in alike:
                each.mark_refused()
            return
        for step in steps:
            for each in alike:
                each.take(step)
            alike = [each for each in alike if each.rest and each.begun[-1] == step.taken]

    async def _generate(self, context: str, options: dict[str, Any]) -> str:
        until = options.get("until") or []
        until = [until] if isinstance(until, str) else list(until)
        max_tokens = int(options.get("max_gen_toks") or options.get("max_tokens") or DEFAULT_MAX_TOKENS)
        sampled = options.get("do_sample", True) and "temperature" in options
        temperature = float(options["temperature"]) if sampled else 0.0
        tokens = await self._ask(lambda _name, base: self._engine.encode(base, context, True))
        prompt = tokens[-max(1, self.max_length - max_tokens) :]
        answer = await self._ask(
            lambda name, _base: self._engine.complete(name, prompt, max_tokens, until, temperature)
        )
        if answer.error is not None:
            self.errors += 1
        return _cut(answer.text, until)

    def _windows(self, text: str) -> list[tuple[None, list[int], list[int]]]:
        windows = get_rolling_token_windows(
            token_list=self.tok_encode(text),
            prefix_token=self.prefix_token_id,
            max_seq_len=self.max_length - 1,
            context_len=1,
        )
        return [(None, *make_disjoint_window(window)) for window in windows]

    def _encode(self, text: str, special: bool) -> tuple[int, ...]:
        return tuple(self._wait(self._ask(lambda _name, base: self._engine.encode(base, text, special))))

    def _all(self, work: Sequence[Callable[[], Awaitable[T]]]) -> list[T]:
        # Known before the requests start, because both wait for the loop.
        _ = self.max_length

        async def gather() -> list[T]:
            return await gathered([each() for each in work])

        return self._wait(gather())

    async def _ask(self, once: Callable[[str, str], Awaitable[T]]) -> T:
        return await self._model.ask(once)

    def _wait(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()


def _text(request: tuple[Any, list[int], list[int]]) -> str:
    """The context of a request; the windows of whole texts have none."""
    return request[0][0] if request[0] else ""


def _cut(text: str, until: Sequence[str]) -> str:
    for stop in until:
        if stop:
            text = text.split(stop)[0]
    return text
