"""What evaluator needs from the outside."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from pydantic import Field

from services.evaluator.domain.agreement import Judged
from services.evaluator.domain.lease import Scoring
from services.evaluator.domain.nearness import Near
from services.evaluator.domain.production import Production
from services.evaluator.domain.results import Answer, Scored, Step, Target
from services.evaluator.domain.suite import Item
from services.evaluator.domain.tasks import Suite, Table
from shared.cloudevents import EventData
from shared.events import Artifact, EvalDone, Score
from shared.store import Entity


class EngineUnavailable(Exception):
    """The engine cannot answer now: it restarts, is overloaded, or is set up for something else."""


class AdapterGone(Exception):
    """The engine does not know the adapter, as after a restart."""


class Evaluation(Entity):
    """One checkpoint's evaluation; `id` is `<job>/<step>`. `evaluated_at` is in Unix seconds.

    `train` is what the checkpoint was trained on, where that was told.
    """

    job_id: str
    step: int
    evaluated_at: float
    done: EvalDone
    train: Artifact | None = None


class ScoringRecord(Entity):
    """A scoring as it is kept; `id` is its target's key."""

    scoring: Scoring


class ProductionRecord(Entity):
    """What an alias means, as it is kept; `id` is the alias."""

    production: Production


class AgreementRecord(Entity):
    """A review as people and a judge rated it; `id` is the review's."""

    judged: Judged


class SuiteRecord(Entity):
    """A suite as it is kept; `id` is its name."""

    suite: Suite


class SuiteStore(Protocol):
    """Keeps the suites that people put, the newest revision of each."""

    async def get(self, name: str) -> Suite | None: ...

    async def names(self) -> list[str]: ...

    async def append(self, name: str, revise: Callable[[Suite | None], Suite | None]) -> Suite:
        """Keep what `revise` makes of the newest revision, atomically; None for no change."""
        ...


class SuiteFiles(Protocol):
    """Suites and their tables as files of the server's own. The methods raise `CannotBeScored` for what is broken."""

    def names(self) -> list[str]: ...

    def get(self, name: str) -> Suite | None: ...

    def table(self, name: str, table: Table) -> bytes: ...

    def harness(self, name: str, raw: Mapping[str, Any]) -> dict[str, Any]: ...


class ProductionStore(Protocol):
    """Keeps what each alias means. Each call is one atomic step."""

    async def get(self, alias: str) -> Production | None: ...

    async def create(self, alias: str, production: Production) -> bool: ...

    async def change(self, alias: str, decide: Callable[[Production], Production | None]) -> None: ...


class EvaluationStore(Protocol):
    """Keeps evaluations; each is saved together with the event that tells of it."""

    async def get(self, entity_id: str) -> Evaluation | None: ...

    async def create(self, entity: Evaluation, events: Sequence[EventData] = ()) -> bool: ...

    async def of_job(self, job_id: str) -> list[Evaluation]: ...


class Progress(Entity):
    """How far a checkpoint's evaluation is; `id` is as an evaluation's. The test split's name is empty."""

    scores: dict[str, dict[str, Score]] = Field(default_factory=dict)
    """By set of questions, then metric."""
    waiting: tuple[str, ...] = ()
    owner: str = ""
    """The id of the key whose job it is."""


class ProgressStore(Protocol):
    """Keeps how far evaluations are; what is lost is only shown late."""

    async def get(self, entity_id: str) -> Progress | None: ...

    async def put(self, progress: Progress) -> None: ...


class ScoringStore(Protocol):
    """Keeps scorings. Each call is one atomic step."""

    async def create(self, key: str, scoring: Scoring) -> bool: ...

    async def change(self, key: str, decide: Callable[[Scoring], Scoring | None]) -> Scoring | None: ...


class Scorer(Protocol):
    """Scores one target."""

    async def score(self, target: Target) -> Scored:
        """Raises `CannotBeScored`, or `EngineUnavailable` and others when trying again may help."""
        ...


class Engine(Protocol):
    """A model server. Every method raises `EngineUnavailable` when it cannot be used now."""

    async def served_name(self, base_model: str) -> str:
        """The name by which the engine calls a base model."""
        ...

    async def load(self, name: str, folder: Path, base: str) -> None:
        """Make an adapter callable; no harm when it is. Raises `CannotBeScored` when the engine refuses it."""
        ...

    async def use_base(self, base: str) -> None:
        """See that the base model's own weights answer."""
        ...

    async def unload(self, name: str) -> None: ...

    async def confirm(self) -> None:
        """Raise `EngineUnavailable` when the answers since the last load may be of other weights."""
        ...

    async def answer(self, model: str, prompt: Sequence[dict[str, Any]], max_tokens: int, attempt: int = 0) -> Answer:
        """The likeliest answer; on a later attempt one drawn at temperature 0.5. Raises `AdapterGone`."""
        ...

    async def time(self, model: str, prompt: Sequence[dict[str, Any]], max_tokens: int) -> Answer:
        """How fast an answer of exactly so many tokens comes, as JSON of `Timing`. Raises `AdapterGone`."""
        ...

    async def tokens(self, model: str, text: str) -> list[int]:
        """A text as the model's tokens, those that open a text included."""
        ...

    async def next_steps(self, model: str, prompt: Sequence[int], asked: Sequence[int], count: int) -> list[Step] | str:
        """How likely each of the tokens asked for is as the next one, and again after each step but the last.

        With each step the model takes the likeliest of them. Or why the prompt is refused. Raises `AdapterGone`.
        """
        ...


class Rater(Protocol):
    """A judge."""

    async def rate(self, items: Sequence[Item], answers: Sequence[Answer]) -> Sequence[float | None]:
        """Each answer's rating, from 0 to 1; None where the judge said nothing valid. Raises `CannotBeScored`."""
        ...


class Nearest(Protocol):
    """Searches training rows, one search at a time."""

    def nearest(self, train: Artifact, text: str, count: int) -> list[Near]:
        """At most `count` rows that are like the text, the likest first; raises `NotExplained`."""
        ...


class AgreementStore(Protocol):
    """Keeps what people and a judge said of the same answers, by review."""

    async def get(self, entity_id: str) -> Judged | None: ...

    async def create(self, entity_id: str, judged: Judged) -> bool: ...

    async def all(self, judge: str) -> dict[str, Judged]: ...


class Files(Protocol):
    """Artifacts by digest."""

    def read(self, artifact: Artifact) -> bytes: ...

    def put_bytes(self, content: bytes) -> Artifact: ...
