"""What exactly a job will do: every hyperparameter decided, and why, before anything is trained."""

import math
import random
from collections.abc import Sequence
from itertools import pairwise

from pydantic import Field

from services.trainer.domain.errors import PlanRefused
from services.trainer.domain.general import general_rows
from services.trainer.domain.tuning import Kind, Tuning, decide_tuning
from shared.events import Hyperparameters, TrainingSpec, Value

# For base models that do not say how much they can read.
MAX_LENGTH_TOKENS = 1024
_N_CHECKPOINTS = 3
_WARMUP_SHARE = 0.06
# How often so many rows are read; between two counts by the logarithm of the rows.
_EPOCHS = ((100, 15.0), (1_000, 10.0), (10_000, 2.0))
# Each epoch is sorted by length within groups of this many batches: little padding, and still a shuffle.
_BATCHES_PER_GROUP = 16
# What one token keeps for the backward pass, by block and width: 34 bytes in 16 bits where attention keeps no scores
# ("Reducing Activation Recomputation in Large Transformer Models", Korthikanti and others, 2022, equation 2), twice
# that in 32.
_ACTIVATION_BYTES = 68
# The other half is for the model, its gradients and batches of longer rows than most.
_SHARE_FOR_ACTIVATIONS = 0.5


class BaseShape(Value):
    """What a plan asks of a base model: its width, of how many blocks it is made, and how many tokens it can read."""

    hidden_size: int
    blocks: int
    context: int | None = None


class Room(Value):
    """What decides how many rows fit: a trainer's memory, and the mean row, in tokens."""

    memory_bytes: int
    row_tokens: float


class TrainingPlan(Value):
    """A decided job. `reasons` says for each hyperparameter that was "auto" why it got its value.

    `rows` are all that it trains on, the last `general_rows` of them from another dataset. `checkpoint_steps` are
    optimizer steps, counted from 1; the last is `total_steps`.
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
    learning_rate: float
    warmup_steps: int
    tuning: Tuning = Tuning()
    max_length: int = MAX_LENGTH_TOKENS
    reasons: dict[str, str] = Field(default_factory=dict)


def plan_training(
    job_id: str,
    spec: TrainingSpec,
    name: str,
    rows: int,
    base: BaseShape,
    earlier: Tuning | None = None,
    room: Room | None = None,
) -> TrainingPlan:
    """Decide every hyperparameter of a job over `rows` training rows; `earlier` made the checkpoint it starts from.

    An "auto" batch is no larger than there is `room` for, where that is known.
    Raises `PlanRefused` when there is nothing to train on, or what was asked for does not go together.
    """
    if rows < 1:
        raise PlanRefused("empty_training_split", "the dataset's training split has no rows", "training_file")
    asked = spec.hyperparameters
    reasons: dict[str, str] = {}
    general = general_rows(asked, rows, reasons)
    rows += general
    batch_size = min(asked.batch_size or _auto_batch_size(rows, base, room, reasons), rows)
    n_epochs = asked.n_epochs or _auto_epochs(rows, reasons)
    total_steps = max(1, math.ceil(rows * n_epochs / batch_size))
    tuning = decide_tuning(asked, base.blocks, reasons, earlier)
    if asked.n_checkpoints is None:
        reasons["n_checkpoints"] = f"{_N_CHECKPOINTS}, evenly spaced: enough to see the scores rise or fall"
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
        learning_rate=_learning_rate(asked, tuning.kind, base.hidden_size, reasons),
        warmup_steps=round(total_steps * _WARMUP_SHARE),
        tuning=tuning,
        max_length=_max_length(asked, base.context, reasons),
        reasons=reasons,
    )


def checkpoint_schedule(total_steps: int, n_checkpoints: int) -> tuple[int, ...]:
    """`n_checkpoints` steps, evenly spaced and ending with the last; fewer when there are fewer steps."""
    count = min(n_checkpoints, total_steps)
    return tuple(sorted({math.ceil(total_steps * i / count) for i in range(1, count + 1)}))


def row_order(lengths: Sequence[int], plan: TrainingPlan) -> list[int]:
    """The row behind each position of the whole job: `total_steps * batch_size` indices into `lengths` (tokens a row).

    Planned as a whole and not drawn on the way, so that a resumed job sees what an uninterrupted one would have seen.
    Each epoch holds each row once; rows of like length share a batch.
    """
    wanted = plan.total_steps * plan.batch_size
    order: list[int] = []
    epoch = 0
    while len(order) < wanted:
        order += _epoch_order(lengths, plan.batch_size, random.Random(f"{plan.seed}/{epoch}"))  # noqa: S311
        epoch += 1
    return order[:wanted]


def _epoch_order(lengths: Sequence[int], batch_size: int, rng: random.Random) -> list[int]:
    rows = list(range(len(lengths)))
    rng.shuffle(rows)
    group = batch_size * _BATCHES_PER_GROUP
    batches: list[list[int]] = []
    for start in range(0, len(rows), group):
        alike = sorted(rows[start : start + group], key=lambda row: lengths[row])
        batches += [alike[i : i + batch_size] for i in range(0, len(alike), batch_size)]
    rng.shuffle(batches)
    return [row for batch in batches for row in batch]


def _max_length(asked: Hyperparameters, context: int | None, reasons: dict[str, str]) -> int:
    if asked.max_length is None:
        longest = context or MAX_LENGTH_TOKENS
        reasons["max_length"] = f"{longest}: what the base model can read; short rows cost no more for it"
        return longest
    if context is not None and asked.max_length > context:
        message = f"max_length is {asked.max_length}, and the base model can read {context} tokens"
        raise PlanRefused("invalid_hyperparameter", message, "max_length")
    return asked.max_length


def _auto_batch_size(rows: int, base: BaseShape, room: Room | None, reasons: dict[str, str]) -> int:
    size = 4 if rows < 1000 else 8 if rows < 4000 else 16
    reasons["batch_size"] = (
        f"{size}: many small steps teach more than few large ones while rows are scarce ({rows} here)"
    )
    if room is None:
        return size
    row_bytes = room.row_tokens * base.blocks * base.hidden_size * _ACTIVATION_BYTES
    fitting = max(1, int(room.memory_bytes * _SHARE_FOR_ACTIVATIONS / row_bytes))
    if fitting < size:
        size = 2 ** (fitting.bit_length() - 1)
        reasons["batch_size"] = (
            f"{size}: a row of about {room.row_tokens:.0f} tokens takes {row_bytes / 2**30:.2g} GiB while it is "
            f"trained on, and half of {room.memory_bytes / 2**30:.0f} GiB is there for rows"
        )
    return size


def _auto_epochs(rows: int, reasons: dict[str, str]) -> float:
    """Few rows are read often, many seldom: the figures of a vendor's guide to fine-tuning."""
    epochs = _EPOCHS[-1][1]
    for (fewer, most), (more, least) in pairwise(_EPOCHS):
        if rows < more:
            way = math.log(max(rows, fewer) / fewer) / math.log(more / fewer)
            epochs = round(most - way * (most - least), 1)
            break
    known = ", ".join(f"{often:g} for {count:,}" for count, often in _EPOCHS)
    reasons["n_epochs"] = f"{epochs:g} for {rows:,} rows: fewer rows are read more often ({known})"
    return epochs


def _learning_rate(asked: Hyperparameters, kind: Kind, hidden_size: int, reasons: dict[str, str]) -> float:
    """Wider models want smaller steps: 7.5e-4 at a width of 2 000, falling with width to the power 0.78.

    The form, the power and the tenth for a model's own weights are those of "LoRA Without Regret" (Schulman and others,
    2025) for Llama models; the factor is what small batches learned well with.
    """
    if asked.learning_rate is not None:
        return asked.learning_rate
    adapter = 7.5e-4 * (2000 / hidden_size) ** 0.78
    rate = float(f"{adapter if kind == 'lora' else adapter / 10:.1e}")
    of_what = "LoRA" if kind == "lora" else "a model's own weights, a tenth of LoRA's,"
    reasons["learning_rate"] = f"{rate:g}: fits {of_what} on a model that is {hidden_size} wide"
    return rate * (asked.learning_rate_multiplier or 1.0)
