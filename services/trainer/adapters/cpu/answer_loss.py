"""Cross-entropy over answer tokens; the head runs once, and the forward pass also computes the gradient."""

from typing import Any

import torch

# Tokens per chunk: limits the memory for the logits of a large vocabulary to some tens of megabytes.
_CHUNK_TOKENS = 256


class _AnswerLoss(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, hidden: torch.Tensor, head: torch.Tensor, targets: torch.Tensor, with_gradient: bool
    ) -> tuple[torch.Tensor, torch.Tensor]:
        to_hidden = torch.empty_like(hidden) if with_gradient and ctx.needs_input_grad[0] else None
        to_head = torch.zeros_like(head) if with_gradient and ctx.needs_input_grad[1] else None
        loss, correct = hidden.new_zeros((), dtype=torch.float32), hidden.new_zeros((), dtype=torch.int64)
        for start in range(0, len(hidden), _CHUNK_TOKENS):
            part = slice(start, start + _CHUNK_TOKENS)
            h, target = hidden[part].to(head.dtype), targets[part, None]
            logits = (h @ head.T).float()
            highest, chosen = logits.amax(1, keepdim=True), logits.gather(1, target)
            weights = logits.sub_(highest).exp_()
            total = weights.sum(1, keepdim=True)
            loss += (total.log() + highest - chosen).sum()
            correct += (chosen >= highest).sum()
            # d loss / d logits = softmax(logits) - onehot(target), so d loss / d h = softmax @ head - head[target].
            weights = weights.to(head.dtype)
            if to_hidden is not None:
                to_hidden[part] = (weights @ head) / total - head[target[:, 0]]
            if to_head is not None:
                scaled = h / total.to(h.dtype)
                to_head.addmm_(weights.T, scaled).index_add_(0, target[:, 0], h, alpha=-1)
        ctx.gradients = (to_hidden, to_head)
        ctx.mark_non_differentiable(correct)
        return loss, correct

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> Any:
        to_hidden, to_head = (None if saved is None else saved * grads[0].to(saved.dtype) for saved in ctx.gradients)
        return to_hidden, to_head, None, None


def answer_loss(hidden: torch.Tensor, head: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The summed cross-entropy in nats and the number of tokens that the model ranks first, both of shape ().

    `hidden` is (tokens, width), `head` (vocabulary, width), `targets` (tokens,). Both gradients are exact; memory is
    that of 256 tokens' logits, and the backward pass only scales what the forward pass computed.
    """
    loss, correct = _AnswerLoss.apply(hidden, head, targets, torch.is_grad_enabled())  # type: ignore[misc]
    return loss, correct
