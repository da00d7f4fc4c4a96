"""Suites as data that people write: tasks, each with its questions, its prompt, its metrics and its weight."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from services.evaluator.domain.disturbing import Disturbance
from services.evaluator.domain.suite import CannotBeScored
from shared.events import Artifact

Format = Literal["csv", "jsonl", "json", "xlsx"]
Kind = Literal["generation", "multiple_choice", "likelihood", "speed"]
LONGEST_NAME = 20
NAME = rf"^[a-z0-9][a-z0-9_-]{{0,{LONGEST_NAME - 1}}}$"
"""Short, so that `<suite>.<task>.<metric>` fits where a gate names it."""
MAX_TASKS = 100
MAX_INLINE_ROWS = 10_000
SPEED_METRICS = ("tokens_per_s", "first_token_s", "memory_gib")
USUAL_METRIC: dict[Kind, str] = {
    "generation": "exact_match",
    "multiple_choice": "accuracy",
    "likelihood": "perplexity",
    "speed": "tokens_per_s",
}
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_ASK = "{{ question }}"
_ASK_TEXT = "Question: {{ question }}\nAnswer:"
_ASK_LETTER = "{{ question }}\n{% for choice in choices %}{{ letters[loop.index0] }}. {{ choice }}\n{% endfor %}Answer:"


class Data(BaseModel):
    """Data that people write: unknown names are errors, infinities and NaN are no numbers."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Table(Data):
    """Rows of questions: exactly one of a file beside the suite's own, an artifact, and the rows themselves."""

    file: str | None = Field(default=None, min_length=1, max_length=256)
    artifact: Artifact | None = None
    rows: tuple[dict[str, Any], ...] | None = Field(default=None, max_length=MAX_INLINE_ROWS)
    format: Format | None = None
    """That of the file or artifact; by default what the file's name ends with."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if sum(source is not None for source in (self.file, self.artifact, self.rows)) != 1:
            raise ValueError("a table has exactly one of file, artifact and rows")
        if self.artifact is not None and self.format is None:
            raise ValueError("an artifact has no name to tell its format by: say format")
        return self


class Columns(Data):
    """Where a row holds what.

    `choices` and `paraphrases` name one column that holds a list, or several columns with one of them each.
    """

    question: str = "question"
    answer: str = "answer"
    choices: str | tuple[str, ...] = "choices"
    subject: str = "subject"
    """Rows without it have no subject."""
    paraphrases: str | tuple[str, ...] = "paraphrases"
    """The question in other words; read where a task disturbs its questions by `paraphrase`."""


class Task(Data):
    """One kind of question.

    `generation` is answered, `multiple_choice` compares how likely the model finds each choice, `likelihood` weighs the
    expected answer alone, and `speed` times answers of `max_tokens` tokens, one after another.
    """

    name: str = Field(pattern=NAME)
    kind: Kind = "generation"
    data: Table
    examples: Table | None = None
    """Rows that are shown, answered, before each question: those of its subject, or the first where it has none."""
    shots: int = Field(default=5, ge=0, le=32)
    columns: Columns = Columns()
    prompt: str | None = Field(default=None, max_length=20_000)
    """A Jinja template over a row's columns, and `question`, `choices`, `letters`; without calls."""
    system: str = Field(default="", max_length=20_000)
    answer_by: Literal["text", "letter"] = "text"
    """Whether the likelihood is that of a choice's text or of its letter."""
    disturb: Disturbance | None = None
    """Asks each question as a hurried person types it, or otherwise changed; the examples stay as they are."""
    seed: int = 0
    """Of whatever the disturbance draws."""
    max_tokens: int | None = Field(default=None, ge=1, le=32_768)
    metrics: tuple[str, ...] = Field(default=(), max_length=20)
    """The first is the task's own in the suite's score; by default that of `USUAL_METRIC`."""
    weight: float = Field(default=1.0, gt=0, le=1000)

    @model_validator(mode="after")
    def _fitting_metrics(self) -> Self:
        if any((name == "perplexity") != (self.kind == "likelihood") for name in self.measured_by):
            raise ValueError("perplexity is the one metric of the kind likelihood, and of no other kind")
        if any((name in SPEED_METRICS) != (self.kind == "speed") for name in self.measured_by):
            raise ValueError(f"{', '.join(SPEED_METRICS)} are the metrics of the kind speed, and of no other kind")
        return self

    @property
    def measured_by(self) -> tuple[str, ...]:
        return self.metrics or (USUAL_METRIC[self.kind],)

    @property
    def template(self) -> str:
        if self.prompt is not None:
            return self.prompt
        if self.kind != "multiple_choice":
            return _ASK
        return _ASK_LETTER if self.answer_by == "letter" else _ASK_TEXT


class SuiteContent(BaseModel):
    """A suite as it was read: what is wrong with one task is found when that task is, and hurts no other."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    description: str = Field(default="", max_length=4000)
    tasks: tuple[dict[str, Any], ...] = Field(min_length=1, max_length=MAX_TASKS)


class Suite(SuiteContent):
    """A suite under its name; one from a file is revision 0, each change by HTTP is the next."""

    name: str = Field(pattern=NAME)
    revision: int = Field(default=0, ge=0)


class Tag(str):
    """A YAML tag that is no data, such as `!function`."""


def read_task(raw: Mapping[str, Any]) -> Task:
    """A checked task; raises `CannotBeScored` with every field that is wrong."""
    refuse_code(raw)
    try:
        return Task.model_validate(raw)
    except ValidationError as error:
        found = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
        raise CannotBeScored("bad_task", found) from None


def refuse_code(raw: Any) -> None:
    """Raise `CannotBeScored` where a tag of YAML's names anything but data."""
    if tag := _tag(raw):
        raise CannotBeScored("code_refused", f"a suite is data and names no code: {tag}")


def names(tasks: Sequence[Mapping[str, Any]]) -> list[str]:
    """What each task is called in reports, also where its name is missing or taken."""
    found: list[str] = []
    for place, raw in enumerate(tasks, start=1):
        name = raw.get("name")
        usable = isinstance(name, str) and 0 < len(name) <= LONGEST_NAME and name not in found
        found.append(str(name) if usable else f"task-{place}")
    return found


def _tag(value: Any) -> Tag | None:
    if isinstance(value, Tag):
        return value
    children: list[Any] = []
    if isinstance(value, Mapping):
        children = [*value.keys(), *value.values()]
    elif isinstance(value, list | tuple):
        children = [*value]
    return next((tag for child in children if (tag := _tag(child))), None)
