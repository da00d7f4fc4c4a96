"""LoRA's products with no pass over the activations that is not a matrix product."""

from functools import partial
from typing import Any

import torch
from peft.tuners.lora.layer import Linear
from torch import nn
from torch.nn import functional


class _LoraProduct(torch.autograd.Function):
    """`x W' + bias + scale (x A') B'` with W frozen, added up inside the products."""

    @staticmethod
    def forward(
        ctx: Any,
        x: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        a: torch.Tensor,
        b: torch.Tensor,
        scale: float,
    ) -> torch.Tensor:
        flat = x.reshape(-1, x.shape[-1])
        low = flat @ a.T
        out = functional.linear(flat, weight, bias).addmm_(low, b.T, alpha=scale)
        ctx.save_for_backward(flat, low, weight, a, b)
        ctx.scale = scale
        return out.view(*x.shape[:-1], -1)

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> Any:
        flat, low, weight, a, b = ctx.saved_tensors
        grad = grads[0].reshape(-1, weight.shape[0])
        up = (grad @ b).mul_(ctx.scale)
        to_x = (grad @ weight).addmm_(up, a).view(*grads[0].shape[:-1], -1) if ctx.needs_input_grad[0] else None
        return to_x, None, None, up.T @ flat, (low.T @ grad).mul_(ctx.scale).T, None


def fuse(model: nn.Module) -> int:
    """Give every plain LoRA layer over a frozen linear one the products above; how many there were."""
    layers = [module for module in model.modules() if _is_plain(module)]
    for layer in layers:
        layer.forward = partial(_forward, layer)
    return len(layers)


def _forward(layer: Any, x: torch.Tensor) -> torch.Tensor:
    if layer.disable_adapters or layer.merged:
        return type(layer).forward(layer, x)
    [name] = layer.active_adapters
    base = layer.base_layer
    a, b = layer.lora_A[name].weight, layer.lora_B[name].weight
    return _LoraProduct.apply(x, base.weight, base.bias, a, b, layer.scaling[name])  # type: ignore[return-value]


def _is_plain(module: nn.Module) -> bool:
    """One adapter in 32 bits, no dropout, no bias of its own, no variant such as DoRA, over a frozen `nn.Linear`."""
    if type(module) is not Linear or type(module.base_layer) is not nn.Linear or len(module.active_adapters) != 1:
        return False
    [name] = module.active_adapters
    own = (module.base_layer.weight, module.lora_A[name].weight, module.lora_B[name].weight)
    frozen = not any(parameter.requires_grad for parameter in module.base_layer.parameters())
    plain = isinstance(module.lora_dropout[name], nn.Identity) and name not in module.lora_variant
    return frozen and plain and module.lora_B[name].bias is None and all(p.dtype == torch.float32 for p in own)
