"""A task of a suite as data: its questions, prompt, metrics and weight."""

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from services.evaluator.scoring.domain.item import CannotBeScored
from services.evaluator.suites.domain.perturbation import Perturbation
from shared.events import Artifact

Format = Literal["csv", "jsonl", "json", "xlsx"]


Kind = Literal["generation", "multiple_choice", "likelihood", "speed", "lm_eval"]


LONGEST_NAME = 20


NAME = rf"^[a-z0-9][a-z0-9_-]{{0,{LONGEST_NAME - 1}}}$"
"""Short, so that gates can name `<suite>.<task>.<metric>`."""


MAX_INLINE_ROWS = 10_000


SPEED_METRICS = ("tokens_per_s", "first_token_s", "memory_gib")


DEFAULT_METRIC: dict[Kind, str] = {
    "generation": "exact_match",
    "multiple_choice": "accuracy",
    "likelihood": "perplexity",
    "speed": "tokens_per_s",
    "lm_eval": "acc",
}


LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


_QUESTION_TEMPLATE = "{{ question }}"


_CHOICE_TEXT_TEMPLATE = "Question: {{ question }}\nAnswer:"


_CHOICE_LETTER_TEMPLATE = (
    "{{ question }}\n{% for choice in choices %}{{ letters[loop.index0] }}. {{ choice }}\n{% endfor %}Answer:"
)


class StrictModel(BaseModel):
    """Unknown fields, infinities and NaN are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Table(StrictModel):
    """Rows of questions: a file beside the suite's file, an artifact, or the rows themselves."""

    file: str | None = Field(default=None, min_length=1, max_length=256)
    artifact: Artifact | None = None
    rows: tuple[dict[str, Any], ...] | None = Field(default=None, max_length=MAX_INLINE_ROWS)
    format: Format | None = None
    """By default the file's extension."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if sum(source is not None for source in (self.file, self.artifact, self.rows)) != 1:
            raise ValueError("give exactly one of file, artifact and rows")
        if self.artifact is not None and self.format is None:
            raise ValueError("give the format of the artifact: csv, jsonl, json or xlsx")
        return self


NO_ROWS = Table(rows=())


class Columns(StrictModel):
    """The columns of a row. `choices` and `paraphrases` name one column with a list, or several columns."""

    question: str = "question"
    answer: str = "answer"
    choices: str | tuple[str, ...] = "choices"
    subject: str = "subject"
    """Optional in each row."""
    paraphrases: str | tuple[str, ...] = "paraphrases"
    """Used if the task has `disturb: paraphrase`."""
    pair: str = "pair"
    """Used if the task has `fairness`: rows with the same value are one question, asked for different subjects."""


class LmEval(StrictModel):
    """A task or group of lm-evaluation-harness by its name: one that it ships, or one in the operator's folder."""

    task: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$")
    num_fewshot: int | None = Field(default=None, ge=0, le=64)
    """By default the task's own."""
    limit: int | None = Field(default=None, ge=1, le=MAX_INLINE_ROWS)
    """Asks only so many questions of each task."""
    version: str = ""
    """Of the installed lm-eval; set when the task is planned, so that another version is scored anew."""


class Task(StrictModel):
    """A set of questions of one kind.

    `generation` asks for answers, `multiple_choice` compares the log-likelihoods of the choices, `likelihood` measures
    that of the expected answer, and `speed` times answers of `max_tokens` tokens, one at a time. `lm_eval` runs a task
    of lm-evaluation-harness by its own evaluator; its metrics are the harness's.
    """

    name: str = Field(pattern=NAME)
    kind: Kind = "generation"
    data: Table = NO_ROWS
    lm_eval: LmEval | None = None
    examples: Table | None = None
    """Answered examples before each question: rows of the same subject, or the first rows if it has none."""
    shots: int = Field(default=5, ge=0, le=32)
    columns: Columns = Columns()
    prompt: str | None = Field(default=None, max_length=20_000)
    """A Jinja template over a row's columns and `question`, `choices`, `letters`; without calls."""
    system: str = Field(default="", max_length=20_000)
    answer_by: Literal["text", "letter"] = "text"
    """Whether to measure the likelihood of a choice's text or of its letter."""
    disturb: Perturbation | None = None
    """Perturbs each question; the examples do not change."""
    seed: int = 0
    """Seed of random perturbations."""
    fairness: bool = False
    """Compares the groups, which are the subjects, on the same questions."""
    max_tokens: int | None = Field(default=None, ge=1, le=32_768)
    metrics: tuple[str, ...] = Field(default=(), max_length=20)
    """The first is the main metric, which counts in the suite's score; by default that of `DEFAULT_METRIC`."""
    weight: float = Field(default=1.0, gt=0, le=1000)

    @model_validator(mode="after")
    def _one_kind_of_questions(self) -> Self:
        if (self.kind == "lm_eval") != (self.lm_eval is not None):
            raise ValueError("the field lm_eval is required for the kind lm_eval, and not allowed for other kinds")
        if (self.kind == "lm_eval") != (self.data is NO_ROWS):
            raise ValueError("data: Field required, except for the kind lm_eval")
        return self

    @model_validator(mode="after")
    def _fitting_metrics(self) -> Self:
        if any((name == "perplexity") != (self.kind == "likelihood") for name in self.measured_by):
            raise ValueError("the kind likelihood has the metric perplexity only, and no other kind has it")
        if any((name in SPEED_METRICS) != (self.kind == "speed") for name in self.measured_by):
            raise ValueError(
                f"{', '.join(SPEED_METRICS)} are the only metrics of the kind speed, and no other kind has them"
            )
        return self

    @property
    def measured_by(self) -> tuple[str, ...]:
        return self.metrics or (DEFAULT_METRIC[self.kind],)

    @property
    def template(self) -> str:
        if self.prompt is not None:
            return self.prompt
        if self.kind != "multiple_choice":
            return _QUESTION_TEMPLATE
        return _CHOICE_LETTER_TEMPLATE if self.answer_by == "letter" else _CHOICE_TEXT_TEMPLATE


class YamlTag(str):
    """A YAML tag that stands for code, such as `!function`."""


def read_task(raw: Mapping[str, Any]) -> Task:
    """A valid task; raises `CannotBeScored` with every invalid field."""
    refuse_code(raw)
    try:
        return Task.model_validate(raw)
    except ValidationError as error:
        found = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
        raise CannotBeScored("bad_task", found) from None


def refuse_code(raw: Any) -> None:
    """Raise `CannotBeScored` if the data contain a YAML tag."""
    if tag := _tag(raw):
        raise CannotBeScored("code_refused", f"a suite cannot contain code: {tag}")


def _tag(value: Any) -> YamlTag | None:
    if isinstance(value, YamlTag):
        return value
    children: list[Any] = []
    if isinstance(value, Mapping):
        children = [*value.keys(), *value.values()]
    elif isinstance(value, list | tuple):
        children = [*value]
    return next((tag for child in children if (tag := _tag(child))), None)
