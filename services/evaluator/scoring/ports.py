"""What scoring needs from the outside."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from services.evaluator.scoring.domain.answer import Answer, TokenStep
from services.evaluator.scoring.domain.target import Target
from services.evaluator.scoring.domain.target_scores import TargetScores
from shared.events import Artifact


class EngineUnavailable(Exception):
    """The engine cannot answer now: it restarts, is overloaded, or is configured for something else."""


class AdapterGone(Exception):
    """The engine does not know the adapter, for instance after a restart."""


class BaseModels(Protocol):
    """The base models that can be asked now."""

    async def base_models(self) -> list[str]: ...


class Scorer(Protocol):
    """Scores one target."""

    async def score(self, target: Target) -> TargetScores:
        """Raises `CannotBeScored`, or `EngineUnavailable` and others if a retry may help."""
        ...


class Engine(Protocol):
    """A model server. Every method raises `EngineUnavailable` if the server cannot be used now."""

    async def served_name(self, base_model: str) -> str:
        """The engine's name of a base model."""
        ...

    async def load(self, name: str, folder: Path, base: str) -> None:
        """Load an adapter; loading it twice does no harm. Raises `CannotBeScored` if the engine refuses it."""
        ...

    async def use_base(self, base: str) -> None:
        """Make sure that the base model's own weights answer."""
        ...

    async def unload(self, name: str) -> None: ...

    async def confirm(self) -> None:
        """Raise `EngineUnavailable` if the answers since the last load may come from other weights."""
        ...

    async def answer(self, model: str, prompt: Sequence[dict[str, Any]], max_tokens: int, attempt: int = 0) -> Answer:
        """The greedy answer; later attempts are sampled at temperature 0.5. Raises `AdapterGone`."""
        ...

    async def time(self, model: str, prompt: Sequence[dict[str, Any]], max_tokens: int) -> Answer:
        """The speed of an answer of exactly `max_tokens` tokens, as JSON of `Timing`. Raises `AdapterGone`."""
        ...

    async def tokens(self, model: str, text: str) -> list[int]:
        """A text as the model's tokens, including those that start a text."""
        ...

    async def next_steps(
        self, model: str, prompt: Sequence[int], asked: Sequence[int], count: int
    ) -> list[TokenStep] | str:
        """Log-probabilities of the asked tokens for each of the next `count` steps, or why the prompt is refused.

        After each step but the last the model takes the likeliest of the asked tokens. Raises `AdapterGone`.
        """
        ...


class HarnessEngine(Engine, Protocol):
    """An engine with everything that lm-evaluation-harness needs."""

    reads_prompts: bool
    """Whether `prompt_logprobs` is allowed: on a CPU engine with LoRA, such a request ends the server."""

    async def context_length(self, base: str) -> int:
        """The maximum number of tokens of prompt and answer."""
        ...

    async def prefix_token(self, base: str) -> int:
        """The token before a text that has nothing before it; raises `CannotBeScored` if the model has none."""
        ...

    async def encode(self, base: str, text: str, special: bool) -> list[int]:
        """A text as tokens, with or without those that start a text."""
        ...

    async def prompt_logprobs(self, model: str, prompt: Sequence[int]) -> list[tuple[float, bool]] | str:
        """Each token's log-probability and whether it is the likeliest, or why the prompt is refused."""
        ...

    async def greedy_steps(
        self, model: str, prompt: Sequence[int], asked: Sequence[int], count: int
    ) -> list[TokenStep] | str:
        """Like `next_steps`, but after each step the model takes the likeliest token of all."""
        ...

    async def complete(
        self, model: str, prompt: Sequence[int], max_tokens: int, stop: Sequence[str], temperature: float
    ) -> Answer:
        """The continuation of a prompt, up to one of the stop texts. Raises `AdapterGone`."""
        ...


class Files(Protocol):
    """Artifacts by digest."""

    def read(self, artifact: Artifact) -> bytes: ...

    def put_bytes(self, content: bytes) -> Artifact: ...
