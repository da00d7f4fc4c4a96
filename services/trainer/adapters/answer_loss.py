"""The loss over answer tokens, with the language model's head run once and its gradient taken on the way."""

from typing import Any

import torch

# Tokens at a time: their logits over a large vocabulary stay within some tens of megabytes.
_CHUNK_TOKENS = 256


class _AnswerLoss(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, hidden: torch.Tensor, head: torch.Tensor, targets: torch.Tensor, learn: bool
    ) -> tuple[torch.Tensor, torch.Tensor]:
        to_hidden = torch.empty_like(hidden) if learn and ctx.needs_input_grad[0] else None
        to_head = torch.zeros_like(head) if learn and ctx.needs_input_grad[1] else None
        loss, right = hidden.new_zeros((), dtype=torch.float32), hidden.new_zeros((), dtype=torch.int64)
        for start in range(0, len(hidden), _CHUNK_TOKENS):
            part = slice(start, start + _CHUNK_TOKENS)
            h, wanted = hidden[part].to(head.dtype), targets[part, None]
            logits = (h @ head.T).float()
            highest, chosen = logits.amax(1, keepdim=True), logits.gather(1, wanted)
            weights = logits.sub_(highest).exp_()
            total = weights.sum(1, keepdim=True)
            loss += (total.log() + highest - chosen).sum()
            right += (chosen >= highest).sum()
            # d loss / d logits = softmax(logits) - onehot(target), so towards h it is softmax @ head - head[target].
            weights = weights.to(head.dtype)
            if to_hidden is not None:
                to_hidden[part] = (weights @ head) / total - head[wanted[:, 0]]
            if to_head is not None:
                scaled = h / total.to(h.dtype)
                to_head.addmm_(weights.T, scaled).index_add_(0, wanted[:, 0], h, alpha=-1)
        ctx.gradients = (to_hidden, to_head)
        ctx.mark_non_differentiable(right)
        return loss, right

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> Any:
        to_hidden, to_head = (None if kept is None else kept * grads[0].to(kept.dtype) for kept in ctx.gradients)
        return to_hidden, to_head, None, None


def answer_loss(hidden: torch.Tensor, head: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The summed cross-entropy in nats and how many targets were the likeliest token, both of shape ().

    `hidden` is (tokens, width), `head` (vocabulary, width), `targets` (tokens,). Exact in both gradients; memory is
    that of 256 tokens' logits, and the backward pass has nothing left to multiply.
    """
    loss, right = _AnswerLoss.apply(hidden, head, targets, torch.is_grad_enabled())  # type: ignore[misc]
    return loss, right
