"""Rows laid end to end, none of them padded and none of them seeing another."""

from collections.abc import Sequence
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

    `shift_labels` holds what each position is to predict. What stands behind a row's last answer is left out, and so is
    the last answer's own last token as an input: nothing that is scored depends on them. `row_lengths` sums to N.
    """
    ids, targets, positions, lengths = [], [], [], []
    for row in rows:
        length = max(i for i, label in enumerate(row["labels"]) if label != IGNORED)
        ids += row["input_ids"][:length]
        targets += row["labels"][1 : length + 1]
        positions += range(length)
        lengths.append(length)
    labels = torch.tensor([targets])
    packed = {"input_ids": torch.tensor([ids]), "position_ids": torch.tensor([positions])}
    return packed | {"labels": labels, "shift_labels": labels, "row_lengths": tuple(lengths)}


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
    scaling: float | None = None,
    dropout: float = 0.0,
    sliding_window: int | None = None,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """Causal attention within each row: `query` (1, heads, N, width), `key` and `value` with as many heads or fewer."""
    groups = query.shape[1] // key.shape[1]
    if groups > 1:
        key, value = key.repeat_interleave(groups, 1), value.repeat_interleave(groups, 1)
    rows = zip(*(tensor.split(row_lengths, 2) for tensor in (query, key, value)), strict=True)
    settings: dict[str, Any] = {"dropout_p": dropout, "scale": scaling}
    seen = [
        functional.scaled_dot_product_attention(q, k, v, **settings, **_bounds(q, sliding_window)) for q, k, v in rows
    ]
    return torch.cat(seen, 2).transpose(1, 2), None


def _bounds(query: torch.Tensor, window: int | None) -> dict[str, Any]:
    length = query.shape[2]
    if window is None or length <= window:
        return {"is_causal": True}
    at = torch.arange(length, device=query.device)
    back = at[:, None] - at[None, :]
    return {"attn_mask": (back >= 0) & (back < window)}
