"""Events about uploaded files."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from shared.bounds import MaxBytes, MaxEntries
from shared.cloudevents import Category, EventData
from shared.events.bounded_texts import Id, Label, Name, Reason
from shared.events.hyperparameters import TrainingSpec
from shared.events.templates import PromptTemplate, TemplateRef
from shared.events.values import Artifact, Failure, RowError, Splits, Value

ColumnName = Annotated[str, Field(min_length=1, max_length=200)]


class UploadOptions(Value):
    """What a user specified for an uploaded file. Empty values are detected.

    `mapping` names a field for a column, such as `{"question": "prompt"}`; rows with the same value in the column
    `group` stay in one split. The shares are those of validation and test; training has the rest.
    """

    format: str = Field(default="", max_length=20)
    encoding: str = Field(default="", max_length=40)
    delimiter: str = Field(default="", max_length=1)
    sheet: str = Field(default="", max_length=100)
    shape: str = Field(default="", max_length=40)
    mapping: dict[ColumnName, ColumnName] = Field(default_factory=dict, max_length=50)
    group: str = Field(default="", max_length=200)
    validation_share: float = Field(default=0.1, ge=0, le=0.45)
    test_share: float = Field(default=0.1, ge=0, le=0.45)
    template: TemplateRef | None = None


MAX_ROW_ERRORS = 200


class DatasetUploaded(EventData):
    """A file was stored and waits for its checks. With `train`, training starts as soon as it is ready."""

    type: ClassVar[str] = "dataset.uploaded"
    category: ClassVar[Category] = "request"
    file_id: Id
    filename: Annotated[str, MaxBytes(1024, cut=True)]
    purpose: Label = "fine-tune"
    artifact: Artifact
    owner: Id = ""
    drop_bad_rows: bool = False
    split_seed: int = 0
    train: TrainingSpec | None = None
    created_at: int = 0
    dataset: str = Field(default="", max_length=64)
    """The series of its owner that this file is the next version of."""
    options: UploadOptions = UploadOptions()

    def aggregate_id(self) -> str:
        return self.file_id


class SuiteOverlap(Value):
    """So many questions of a suite are in so many training rows."""

    suite: Name
    revision: int = Field(ge=0)
    questions: int = Field(ge=1)
    rows: int = Field(ge=1)


class DatasetReady(EventData):
    """A file passed its checks and was split."""

    type: ClassVar[str] = "dataset.ready"
    file_id: Id
    format: Literal["messages"] = "messages"
    rows: int
    dropped_rows: int = 0
    duplicate_rows: int = 0
    splits: Splits
    owner: Id = ""
    train: TrainingSpec | None = None
    kind: Literal["chat", "text", "preference", "unpaired"] = "chat"
    """What a row is: a conversation, a plain text, two answers to a question, or an answer with a label."""
    version: str = Field(default="", max_length=64)
    """Derived from the content: the same rows give the same version."""
    template: PromptTemplate | None = None
    """The template that the rows were rendered with."""
    tokenizer: Name = ""
    """The base model whose tokenizer counted; empty where lengths are estimates."""
    longest_row_tokens: int | None = None
    """Tokens of the longest row's texts alone; a chat template adds some."""
    advice: Annotated[tuple[Reason, ...], MaxEntries(20, cut=True)] = ()
    """What a user should know before training on these rows."""
    suites: Annotated[tuple[SuiteOverlap, ...], MaxEntries(100, cut=True)] = ()
    """Suites whose questions are in the training rows."""

    def aggregate_id(self) -> str:
        return self.file_id


class DatasetRendered(EventData):
    """The rows of a job's file, rendered with the template that the job names; `error` says why they cannot be."""

    type: ClassVar[str] = "dataset.rendered"
    job_id: Id
    file_id: Id
    template: PromptTemplate | None = None
    splits: Splits | None = None
    error: Failure | None = None

    def aggregate_id(self) -> str:
        return self.job_id

    def natural_key(self) -> str:
        return f"{self.job_id}/{self.file_id}"


class DatasetRejected(EventData):
    """A file cannot be used for training. `errors` holds the first errors, `bad_rows` counts all bad lines."""

    type: ClassVar[str] = "dataset.rejected"
    file_id: Id
    rows: int
    bad_rows: int
    errors: Annotated[tuple[RowError, ...], MaxEntries(MAX_ROW_ERRORS, cut=True)]

    def aggregate_id(self) -> str:
        return self.file_id
