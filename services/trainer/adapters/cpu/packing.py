"""Packing: the rows of a batch as one sequence without padding, with attention kept within each row."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import torch
from torch.nn import functional
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel

from services.trainer.adapters.token_rows import IGNORED, TokenRow

_ATTENTION = "packed_rows"
# Architectures with plain softmax attention over all earlier tokens or a window of them.
_PLAIN_ATTENTION = {"llama", "mistral", "qwen2", "qwen3", "smollm3"}


def pack(rows: Sequence[TokenRow]) -> dict[str, Any]:
    """One sequence of N tokens: `input_ids`, `position_ids` and `shift_labels` of shape (1, N).

    The common prefix of all rows, such as a system message, appears once, as the first `shared` tokens. The rest of
    each row follows; `row_lengths` sum to N - `shared`. `shift_labels` holds the token that each position predicts.
    Inputs from the last answer token on are left out, because no scored prediction depends on them.
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
    """Length of the common prefix of all rows before the first answer; 0 for a single row."""
    if len(rows) < 2:
        return 0
    before_answers = min(next(i for i, label in enumerate(row["labels"]) if i and label != IGNORED) - 1 for row in rows)
    first, others = rows[0]["input_ids"], rows[1:]
    different = (at for at in range(before_answers) if any(row["input_ids"][at] != first[at] for row in others))
    return next(different, before_answers)


def can_pack(model: PreTrainedModel) -> bool:
    """Whether this architecture mixes tokens by attention only, so that `row_lengths` can separate the rows."""
    return model.config.model_type in _PLAIN_ATTENTION and model.device.type == "cpu"


def use_packed_attention(model: PreTrainedModel) -> None:
    """Make the model's attention respect `row_lengths`."""
    AttentionInterface.register(_ATTENTION, _attend)
    # `row_lengths` replace the mask: one of N x N would cost more time than it saves.
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
    """Causal attention of each row to its own tokens and the shared prefix.

    `query` is (1, heads, N, width); `key` and `value` have the same number of heads or fewer.
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


# A batch has few different lengths, and each layer asks for all of them.
@lru_cache(maxsize=64)
def _bounds(length: int, before: int, window: int | None, dtype: torch.dtype) -> dict[str, Any]:
    """The mask for `length` queries after `before` shared tokens, as arguments of the attention function."""
    total = before + length
    if not before and (window is None or total <= window):
        return {"is_causal": True}
    at = torch.arange(total)
    back = at[before:, None] - at[None, :]
    seen = (back >= 0) if window is None else (back >= 0) & (back < window)
    # An additive mask: of a boolean one the kernel would make this at every call.
    return {"attn_mask": torch.zeros(length, total, dtype=dtype).masked_fill_(~seen, -torch.inf)}
