"""The values that "auto" stands for; each is explained in `reasons`."""

import math
from itertools import pairwise

from services.trainer.domain.errors import PlanRefused
from services.trainer.domain.tuning import Kind
from shared.events import Hyperparameters, Value

# For base models whose config does not state a context length.
MAX_LENGTH_TOKENS = 1024
# Epochs by number of rows; interpolated between two entries by the logarithm of the rows.
_EPOCHS = ((100, 15.0), (1_000, 10.0), (10_000, 2.0))
# Activations kept per token for the backward pass, by block and width: 34 bytes in 16 bits without attention scores
# ("Reducing Activation Recomputation in Large Transformer Models", Korthikanti and others, 2022, equation 2), twice
# that in 32.
_ACTIVATION_BYTES = 68
# The other half is for the model, its gradients, and batches whose rows are longer than average.
_SHARE_FOR_ACTIVATIONS = 0.5


class BaseShape(Value):
    """Dimensions of a base model: width, number of blocks, and context length in tokens.

    `engine_context` is how many tokens the engines take that serve it, if that is known.
    """

    hidden_size: int
    blocks: int
    context: int | None = None
    engine_context: int | None = None


class MemoryBudget(Value):
    """Limits the batch size: the trainer's memory, and the mean length of a row in tokens."""

    memory_bytes: int
    row_tokens: float


def auto_batch_size(rows: int, base: BaseShape, budget: MemoryBudget | None, reasons: dict[str, str]) -> int:
    """A batch size for so many rows, reduced to what fits into memory."""
    size = 4 if rows < 1000 else 8 if rows < 4000 else 16
    reasons["batch_size"] = f"{size}: with few rows ({rows:,} here) many small steps teach more than few large ones"
    if budget is None:
        return size
    row_bytes = budget.row_tokens * base.blocks * base.hidden_size * _ACTIVATION_BYTES
    fitting = max(1, int(budget.memory_bytes * _SHARE_FOR_ACTIVATIONS / row_bytes))
    if fitting < size:
        size = 2 ** (fitting.bit_length() - 1)
        reasons["batch_size"] = (
            f"{size}: a row of about {budget.row_tokens:.0f} tokens takes {row_bytes / 2**30:.2g} GiB while it is "
            f"trained on, and half of {budget.memory_bytes / 2**30:.0f} GiB is available for rows"
        )
    return size


def auto_epochs(rows: int, reasons: dict[str, str]) -> float:
    """Few rows are read often, many rows seldom, by the figures of a vendor's guide to fine-tuning."""
    epochs = _EPOCHS[-1][1]
    for (fewer, most), (more, least) in pairwise(_EPOCHS):
        if rows < more:
            way = math.log(max(rows, fewer) / fewer) / math.log(more / fewer)
            epochs = round(most - way * (most - least), 1)
            break
    known = ", ".join(f"{often:g} for {count:,}" for count, often in _EPOCHS)
    reasons["n_epochs"] = f"{epochs:g} for {rows:,} rows: fewer rows are read more often ({known})"
    return epochs


def auto_learning_rate(asked: Hyperparameters, kind: Kind, hidden_size: int, reasons: dict[str, str]) -> float:
    """7.5e-4 at a width of 2,000, falling with width to the power of 0.78; a tenth of that for a model's own weights.

    Form, exponent and the tenth come from "LoRA Without Regret" (Schulman and others, 2025) for Llama models; the
    factor is one with which small batches learned well.
    """
    adapter = 7.5e-4 * (2000 / hidden_size) ** 0.78
    rate = float(f"{adapter if kind == 'lora' else adapter / 10:.1e}")
    trained = "LoRA" if kind == "lora" else "a model's own weights (a tenth of LoRA's)"
    reasons["learning_rate"] = f"{rate:g}: suits {trained} on a model of width {hidden_size}"
    return rate * (asked.learning_rate_multiplier or 1.0)


def max_length(asked: Hyperparameters, base: BaseShape, reasons: dict[str, str]) -> int:
    """The longest row in tokens; raises `PlanRefused` for more than the base model, or its engine, can read."""
    reader, context = "the base model", base.context
    if base.engine_context is not None and (context is None or base.engine_context < context):
        reader, context = "the engine that serves it", base.engine_context
    if asked.max_length is None:
        longest = context or MAX_LENGTH_TOKENS
        reasons["max_length"] = f"{longest:,}: the most that {reader} can read; short rows cost no more for it"
        return longest
    if context is not None and asked.max_length > context:
        message = f"max_length is {asked.max_length}, but {reader} can read only {context} tokens"
        raise PlanRefused("invalid_hyperparameter", message, "max_length")
    return asked.max_length
