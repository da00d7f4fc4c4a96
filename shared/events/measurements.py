"""Measurements: scores, intervals, comparisons, metrics of a training step."""

from typing import Annotated, Literal

from pydantic import Field

from shared.bounds import MaxEntries
from shared.events.bounded_texts import Id, Label, Metric
from shared.events.values import Value


class Score(Value):
    """One metric over `n` items, from 0 to 1, higher is better, unless docs/metrics.md says otherwise."""

    value: float = Field(allow_inf_nan=False)
    n: int = Field(ge=0)


class Interval(Value):
    """A confidence interval. `seed` is that of the bootstrap; None for methods without random draws."""

    low: float = Field(allow_inf_nan=False)
    high: float = Field(allow_inf_nan=False)
    level: float = Field(gt=0, lt=1)
    method: Label
    seed: int | None = None


class Comparison(Value):
    """One metric of two models on the same `n` items: `difference` is the first model's mean minus the other's.

    `gained` items score higher than with the other model, `lost` items lower. `p_adjusted` is corrected for all metrics
    compared at once; `verdict` follows from it alone, at a level of 5 %.
    """

    metric: Metric
    against: Id
    difference: float = Field(allow_inf_nan=False)
    interval: Interval
    p_value: float = Field(ge=0, le=1)
    p_adjusted: float = Field(ge=0, le=1)
    test: Label
    n: int = Field(ge=1)
    gained: int = Field(ge=0)
    lost: int = Field(ge=0)
    verdict: Literal["better", "worse", "no_difference"]


MAX_METRICS = 200
Scores = Annotated[dict[Metric, Score], MaxEntries(MAX_METRICS)]
Intervals = Annotated[dict[Metric, Interval], MaxEntries(MAX_METRICS)]
Subjects = Annotated[
    dict[Metric, Annotated[dict[Metric, Score], MaxEntries(64, cut=True)]],
    MaxEntries(8, cut=True),
]


class Contamination(Value):
    """How many of a task's `n` questions occur in the training rows; `task` is empty for the test split."""

    task: Metric
    n: int = Field(ge=0)
    seen: int = Field(ge=0)


class TrainingMetrics(Value):
    """Metrics of one step, with OpenAI's names. Losses are mean nats per answer token; accuracies are 0 to 1."""

    step: int
    train_loss: float | None = None
    train_mean_token_accuracy: float | None = None
    valid_loss: float | None = None
    valid_mean_token_accuracy: float | None = None
    full_valid_loss: float | None = None
    full_valid_mean_token_accuracy: float | None = None
    learning_rate: float | None = None
    grad_norm: float | None = None
    tokens_per_s: float | None = None
    memory_bytes: int | None = None
