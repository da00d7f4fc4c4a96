"""Rows laid end to end: none padded, none seeing another, and what all of them begin with there only once."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import torch
from torch.nn import functional
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel

from services.trainer.adapters.rows import IGNORED, TokenRow

_ATTENTION = "rows_apart"
# Architectures whose attention is softmax over all earlier tokens or a window of them, and nothing beside.
_PLAIN_ATTENTION = {"llama", "mistral", "qwen2", "qwen3", "smollm3"}


def pack(rows: Sequence[TokenRow]) -> dict[str, Any]:
    """One sequence of N tokens, `input_ids`, `position_ids` and `shift_labels` of shape (1, N).

    What all rows begin with, such as one system message, stands there once: the first `shared` tokens. The rest of each
    row follows, in `row_lengths` that sum to N - `shared`. `shift_labels` holds what each position is to predict. What
    stands behind a row's last answer is left out, and so is the last answer's own last token as an input: nothing that
    is scored depends on them.
    """
    shared = _shared(rows)
    ids, positions = rows[0]["input_ids"][:shared], list(range(shared))
    targets, lengths = [IGNORED] * shared, []
    for row in rows:
        length = max(i for i, label in enumerate(row["labels"]) if label != IGNORED)
        ids += row["input_ids"][shared:length]
        targets += row["labels"][shared + 1 : length + 1]
        positions += range(shared, length)
        lengths.append(length - shared)
    labels = torch.tensor([targets])
    packed = {"input_ids": torch.tensor([ids]), "position_ids": torch.tensor([positions])}
    return packed | {"labels": labels, "shift_labels": labels, "row_lengths": tuple(lengths), "shared": shared}


def _shared(rows: Sequence[TokenRow]) -> int:
    """How many tokens all rows begin with, the last of them not yet asked for an answer; 0 for a single row."""
    if len(rows) < 2:
        return 0
    before_answers = min(next(i for i, label in enumerate(row["labels"]) if i and label != IGNORED) - 1 for row in rows)
    first, others = rows[0]["input_ids"], rows[1:]
    alike = (at for at in range(before_answers) if any(row["input_ids"][at] != first[at] for row in others))
    return next(alike, before_answers)


def can_pack(model: PreTrainedModel) -> bool:
    """Whether rows can be kept apart in this architecture by its attention alone."""
    return model.config.model_type in _PLAIN_ATTENTION and model.device.type == "cpu"


def keep_rows_apart(model: PreTrainedModel) -> None:
    """Let the model's attention heed `row_lengths`."""
    AttentionInterface.register(_ATTENTION, _attend)
    # The rows' bounds say it all: a mask of N x N would cost more than what it hides.
    AttentionMaskInterface.register(_ATTENTION, lambda *_, **__: None)
    model.set_attn_implementation(_ATTENTION)


def _attend(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    *,
    row_lengths: Sequence[int],
    shared: int = 0,
    scaling: float | None = None,
    dropout: float = 0.0,
    sliding_window: int | None = None,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """Causal attention within each row, to its own tokens and the shared ones.

    `query` is (1, heads, N, width), `key` and `value` have as many heads or fewer.
    """
    groups = query.shape[1] // key.shape[1]
    if groups > 1:
        key, value = key.repeat_interleave(groups, 1), value.repeat_interleave(groups, 1)
    parts = [tensor.split((shared, *row_lengths), 2) for tensor in (query, key, value)]
    (first_q, *queries), (first_k, *keys), (first_v, *values) = parts
    settings: dict[str, Any] = {"dropout_p": dropout, "scale": scaling}
    seen = []
    if shared:
        bounds = _bounds(shared, 0, sliding_window, query.dtype)
        seen.append(functional.scaled_dot_product_attention(first_q, first_k, first_v, **settings, **bounds))
    for q, own_k, own_v in zip(queries, keys, values, strict=True):
        k, v = (torch.cat((first_k, own_k), 2), torch.cat((first_v, own_v), 2)) if shared else (own_k, own_v)
        bounds = _bounds(q.shape[2], shared, sliding_window, query.dtype)
        seen.append(functional.scaled_dot_product_attention(q, k, v, **settings, **bounds))
    return torch.cat(seen, 2).transpose(1, 2), None


# A batch has a handful of them, and each of its model's layers asks for all.
@lru_cache(maxsize=64)
def _bounds(length: int, before: int, window: int | None, dtype: torch.dtype) -> dict[str, Any]:
    """What `length` queries may see of `before` shared tokens and of one another."""
    total = before + length
    if not before and (window is None or total <= window):
        return {"is_causal": True}
    at = torch.arange(total)
    back = at[before:, None] - at[None, :]
    seen = (back >= 0) if window is None else (back >= 0) & (back < window)
    # What is added to the products, as the kernel wants it: it would make this of `seen` at every call.
    return {"attn_mask": torch.zeros(length, total, dtype=dtype).masked_fill_(~seen, -torch.inf)}
