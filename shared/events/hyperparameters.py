"""What a caller chooses for a training."""

from typing import Annotated, Literal

from pydantic import Field

from shared.bounds import MaxBytes, MaxEntries
from shared.events.bounded_texts import Suffix
from shared.events.templates import Decoding, TemplateRef
from shared.events.values import Value

MetadataKey = Annotated[str, MaxBytes(384)]
MetadataValue = Annotated[str, MaxBytes(3072)]


class Hyperparameters(Value):
    """The requested hyperparameters; None is "auto". `learning_rate` is absolute, the multiplier scales it.

    `lora_targets` is `all-linear`, `attention`, `mlp`, or names of linear layers with commas between; `freeze_blocks`
    is the number of last blocks that `freeze` trains. `early_stopping` (by default on) ends a run whose validation is
    perfect or no longer improves. A run also stops early when `early_stopping_metric` lies `early_stopping_drop` below
    its best, when it has not risen in `early_stopping_patience` evaluations, or when `general_metric` lies
    `general_drop` below the base model's; each only if set. `start_job` and
    `start_step` name a checkpoint to continue from, with its optimizer's state or, by default, without; rows of the
    dataset `general_file` are mixed in as the share `general_share` of all rows. A row may have `max_length` tokens.
    """

    n_epochs: float | None = Field(default=None, gt=0, le=100)
    batch_size: int | None = Field(default=None, ge=1, le=1024)
    learning_rate: float | None = Field(default=None, gt=0, le=1)
    learning_rate_multiplier: float | None = Field(default=None, gt=0, le=1000)
    lora_rank: int | None = Field(default=None, ge=1, le=256)
    n_checkpoints: int | None = Field(default=None, ge=1, le=100)
    max_length: int | None = Field(default=None, ge=16, le=2**20)
    tuning: Literal["lora", "freeze", "full"] | None = None
    lora_alpha: int | None = Field(default=None, ge=1, le=1024)
    lora_targets: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_-]+(,[A-Za-z0-9_-]+)*$", max_length=256)
    use_dora: bool | None = None
    use_rslora: bool | None = None
    freeze_blocks: int | None = Field(default=None, ge=1, le=1000)
    early_stopping: bool | None = None
    early_stopping_metric: str | None = Field(default=None, min_length=1, max_length=256)
    early_stopping_patience: int | None = Field(default=None, ge=1, le=100)
    early_stopping_drop: float | None = Field(default=None, ge=0, le=1)
    general_metric: str | None = Field(default=None, min_length=1, max_length=256)
    general_drop: float | None = Field(default=None, ge=0, le=1)
    start_job: str | None = Field(default=None, min_length=1, max_length=128)
    start_step: int | None = Field(default=None, ge=1)
    start_optimizer: bool | None = None
    general_file: str | None = Field(default=None, min_length=1, max_length=128)
    general_share: float | None = Field(default=None, gt=0, le=0.9)


class TrainingSpec(Value):
    """What to train, independent of the data: the part of a request that a user chooses."""

    base_model: str = Field(min_length=1, max_length=256)
    method: Literal["supervised"] = "supervised"
    hyperparameters: Hyperparameters = Hyperparameters()
    suffix: Suffix | None = None
    seed: int = Field(default=0, ge=0, le=2**31 - 1)
    policy: str | None = Field(default=None, max_length=64)
    priority: int = Field(default=0, ge=-100, le=100)
    """Of the jobs that wait, the highest goes first; among equals the oldest."""
    template: TemplateRef | None = None
    """The template to render the rows with, in place of the one of the file's upload."""
    decoding: Decoding | None = None
    """Takes the place of the template's decoding, field by field."""
    allow_contaminated: bool = False
    """Whether to train on rows that contain questions of a suite."""
    metadata: Annotated[dict[MetadataKey, MetadataValue], MaxEntries(16)] = Field(default_factory=dict)
