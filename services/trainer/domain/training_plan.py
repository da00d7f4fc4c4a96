"""The training plan: every hyperparameter of a job, decided and explained before training starts."""

import math
from collections.abc import Sequence
from typing import Any

from pydantic import Field

from services.trainer.domain.auto_hyperparameters import (
    MAX_LENGTH_TOKENS,
    BaseShape,
    MemoryBudget,
    auto_batch_size,
    auto_epochs,
    auto_learning_rate,
    max_length,
)
from services.trainer.domain.errors import PlanRefused
from services.trainer.domain.rows.general_rows import general_row_count
from services.trainer.domain.rows.row_order import row_order
from services.trainer.domain.stopping.stop_by_validation import decide_auto_stop, validation_schedule
from services.trainer.domain.tuning import Tuning, decide_tuning
from shared.events import Hyperparameters, TrainingSpec, Value

_N_CHECKPOINTS = 3
_WARMUP_SHARE = 0.06


class TrainingPlan(Value):
    """All decisions for one job. `reasons` explains each hyperparameter that was "auto".

    `rows` are all training rows; the last `general_rows` of them come from another dataset. `checkpoint_steps` are
    optimizer steps, counted from 1; the last is `total_steps`. `early_stopping`: the run may end before that, by what
    the validations after `validation_steps` show.
    """

    job_id: str
    base_model: str
    model_name: str
    seed: int
    rows: int = Field(ge=1)
    general_rows: int = 0
    n_epochs: float
    batch_size: int
    total_steps: int = Field(ge=1)
    checkpoint_steps: tuple[int, ...]
    early_stopping: bool = False
    validation_steps: tuple[int, ...] = ()
    learning_rate: float
    warmup_steps: int
    tuning: Tuning = Tuning()
    max_length: int = MAX_LENGTH_TOKENS
    reasons: dict[str, str] = Field(default_factory=dict)

    def used(self, asked: Hyperparameters) -> Hyperparameters:
        """The requested hyperparameters with the figures of this plan in place of "auto"."""
        figures: dict[str, Any] = {
            "n_epochs": self.n_epochs,
            "batch_size": self.batch_size,
            "learning_rate": self.learning_rate,
            "learning_rate_multiplier": asked.learning_rate_multiplier or 1.0,
            "n_checkpoints": len(self.checkpoint_steps),
            "max_length": self.max_length,
            "early_stopping": self.early_stopping,
            "tuning": self.tuning.kind,
        }
        if self.tuning.kind == "lora":
            figures |= {"lora_rank": self.tuning.rank, "lora_alpha": self.tuning.alpha}
            figures |= {"lora_targets": self.tuning.targets}
        return asked.model_copy(update=figures)

    def row_order(self, lengths: Sequence[int]) -> list[int]:
        """The row at each position of the job; `lengths` are tokens per row. See `row_order`."""
        return row_order(lengths, self.total_steps, self.batch_size, self.seed)


def plan_training(
    job_id: str,
    spec: TrainingSpec,
    name: str,
    rows: int,
    base: BaseShape,
    earlier: Tuning | None = None,
    budget: MemoryBudget | None = None,
    validation_rows: int = 0,
) -> TrainingPlan:
    """Decide every hyperparameter of a job over `rows` training rows; `earlier` made the checkpoint it starts from.

    An "auto" batch size fits the `budget`, if there is one. Raises `PlanRefused` if there are no rows, or if the
    requested hyperparameters contradict each other.
    """
    if rows < 1:
        message = "the dataset's training split has no rows; upload a file with more rows"
        raise PlanRefused("empty_training_split", message, "training_file")
    asked = spec.hyperparameters
    reasons: dict[str, str] = {}
    general = general_row_count(asked, rows, reasons)
    rows += general
    batch_size = min(asked.batch_size or auto_batch_size(rows, base, budget, reasons), rows)
    n_epochs = asked.n_epochs or auto_epochs(rows, reasons)
    total_steps = max(1, math.ceil(rows * n_epochs / batch_size))
    tuning = decide_tuning(asked, base.blocks, reasons, earlier)
    early_stopping = decide_auto_stop(asked, validation_rows, reasons)
    if asked.n_checkpoints is None:
        reasons["n_checkpoints"] = f"{_N_CHECKPOINTS}, evenly spaced: enough to see whether scores rise or fall"
    return TrainingPlan(
        job_id=job_id,
        base_model=spec.base_model,
        model_name=name,
        seed=spec.seed,
        rows=rows,
        general_rows=general,
        n_epochs=n_epochs,
        batch_size=batch_size,
        total_steps=total_steps,
        checkpoint_steps=checkpoint_schedule(total_steps, asked.n_checkpoints or _N_CHECKPOINTS),
        early_stopping=early_stopping,
        validation_steps=validation_schedule(total_steps, rows / batch_size) if early_stopping else (),
        learning_rate=asked.learning_rate or auto_learning_rate(asked, tuning.kind, base.hidden_size, reasons),
        warmup_steps=round(total_steps * _WARMUP_SHARE),
        tuning=tuning,
        max_length=max_length(asked, base, reasons),
        reasons=reasons,
    )


def checkpoint_schedule(total_steps: int, n_checkpoints: int) -> tuple[int, ...]:
    """`n_checkpoints` evenly spaced steps, the last of them `total_steps`; fewer if there are fewer steps."""
    count = min(n_checkpoints, total_steps)
    return tuple(sorted({math.ceil(total_steps * i / count) for i in range(1, count + 1)}))
